"""Read and check environment variables. Errors name the variable and the accepted form.

An empty variable counts as not set. README.md in this folder and .env.example list all variables.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

DEVELOPMENT_KEY: Final = "only-for-development-never-for-money"
PUBLISHED_SEAL_KEY: Final = "de" * 32
PUBLISHED_WEBHOOK_KEY: Final = "da" * 32

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_SECRET_LENGTH: Final = 32
_SECRET_LETTERS: Final = 8
_HOW: Final = "`openssl rand -hex 32` prints one"

_read_names: Final[set[str]] = set()


def load(path: Path) -> None:
    """Load the variables that the running `make run` saved, unless DATABASE_URL names another database.

    The saved keys must not be used with another database.
    """
    try:
        lines = path.read_text(errors="surrogateescape").split("\n")
    except OSError:
        return
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    own = given("DATABASE_URL")
    if own is not None and own != found.get("DATABASE_URL"):
        return
    for name, value in found.items():
        if given(name) is None:
            os.environ[name] = value


def save(path: Path) -> None:
    """Save the variables that this process has read for `load`. Only the owner can read them."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    lines = [
        f"{name}={value}\n" for name in sorted(_read_names) if (value := given(name)) is not None
    ]
    path.write_text("".join(lines), errors="surrogateescape")


def given(name: str) -> str | None:
    """Return the value without surrounding spaces, None if empty. Raises ImproperlyConfigured."""
    _read_names.add(name)
    value = os.environ.get(name, "").strip()
    if "\n" in value:
        raise ImproperlyConfigured(f"{name} contains a line break.")
    return value or None


def text(name: str, default: str = "") -> str:
    return given(name) or default


def texts(name: str, default: Collection[str] = ()) -> list[str]:
    """Return the comma-separated values."""
    value = given(name)
    if value is None:
        return list(default)
    return [part.strip() for part in value.split(",") if part.strip()]


def roles(name: str, default: Collection[str]) -> list[str]:
    """Return role names. A hyphen stands for a space, and "none" for no role."""
    found = [value.replace("-", " ") for value in texts(name, default)]
    if "none" in found and len(found) > 1:
        raise _wrong(name, ",".join(found), "all, none, or comma-separated roles")
    return [] if found == ["none"] else found


def flag(name: str, *, default: bool) -> bool:
    value = given(name)
    if value is None:
        return default
    if value.lower() not in _TRUE | _FALSE:
        raise _wrong(name, value, "1 or 0 (or true, yes, on, false, no, off)")
    return value.lower() in _TRUE


def number(name: str, default: int, *, least: int = 0, most: int = 1_000_000_000) -> int:
    value = given(name)
    if value is None:
        return default
    if not re.fullmatch("[0-9]{1,10}", value) or not least <= int(value) <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return int(value)


def seconds(name: str, default: float) -> float:
    value = given(name)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) or not float(value):
        raise _wrong(name, value, "a number of seconds above 0, like 10 or 2.5")
    return float(value)


def choice(name: str, default: str, choices: Collection[str]) -> str:
    value = text(name, default).upper()
    if value not in choices:
        raise _wrong(name, value, ", ".join(choices))
    return value


def origins(name: str) -> list[str]:
    values = texts(name)
    for value in values:
        if not re.fullmatch(r"https?://[^/\s]+", value):
            raise _wrong(name, value, "comma-separated origins like https://pay.example.com")
    return values


def secret(name: str, *, debug: bool) -> str:
    """Return a strong secret. With `debug`, accept any secret, or return the published one."""
    value = given(name)
    if debug:
        return value or DEVELOPMENT_KEY
    if value is None or value == DEVELOPMENT_KEY:
        raise ImproperlyConfigured(
            f"Set {name} to a long random string ({_HOW}), or DEBUG=1 on your own machine."
        )
    repeats = value in (value + value)[1:-1]
    if len(value) < _SECRET_LENGTH or len(set(value)) < _SECRET_LETTERS or repeats:
        # The message omits the value, because it may reach a log.
        raise ImproperlyConfigured(
            f"{name} is too weak: use at least {_SECRET_LENGTH} random characters ({_HOW})."
        )
    return value


def seal_key(name: str, *, debug: bool) -> str:
    value = text(name)
    if value:
        _check_hex(name, value)
    if value == PUBLISHED_SEAL_KEY and not debug:
        raise ImproperlyConfigured(f"{name} is the published development key. Make one: {_HOW}.")
    return value


def webhook_keys(name: str, *, debug: bool) -> list[str]:
    """Return the keys, [] if webhooks are off. With `debug`, the default is the published key."""
    values = texts(name)
    for value in values:
        _check_hex(name, value)
        if value == PUBLISHED_WEBHOOK_KEY and not debug:
            raise ImproperlyConfigured(
                f"{name} holds the published development key. Make one: {_HOW}."
            )
    return values or ([PUBLISHED_WEBHOOK_KEY] if debug else [])


def public_keys(name: str) -> list[str]:
    values = texts(name)
    for value in values:
        _check_hex(name, value)
    return values


def database(name: str, *, debug: bool) -> dict[str, Any]:
    """Return Django's settings for the database. The default exists only with `debug`."""
    value = given(name)
    if value is None and not debug:
        raise ImproperlyConfigured(
            f"No database is configured: start `make run`, or set {name} to your own"
            " (postgres://user:password@host:5432/database)."
        )
    accepted = f"{name} must be like postgres://user:password@host:5432/database."
    value = value or "postgres:///payments"
    if not value.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(accepted)
    try:
        _ = urlsplit(value).port
        found = dict(environ.Env.db_url_config(value))
    except (ValueError, ImproperlyConfigured):
        raise ImproperlyConfigured(accepted) from None
    # `dbshell` expects them outside OPTIONS.
    for option in ("host", "port"):
        if option in found.get("OPTIONS", {}):
            found[option.upper()] = found["OPTIONS"].pop(option)
    if not found["NAME"] and "service" not in found.get("OPTIONS", {}):
        raise ImproperlyConfigured(f"{accepted} It names no database.")
    return found


def redis(name: str) -> str:
    """Return the URL of Valkey or Redis."""
    value = text(name, "redis://localhost:6379/0")
    accepted = (
        f"{name} must be like redis://:password@host:6379/0, rediss://... or unix:///path?db=0."
    )
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ImproperlyConfigured(accepted) from None
    local = parts.scheme == "unix"
    where = parts.path if local else parts.hostname
    number = "" if local else parts.path.strip("/")
    if parts.scheme not in {"redis", "rediss", "unix"} or not where or re.search("[^0-9]", number):
        raise ImproperlyConfigured(accepted)
    return value


def _check_hex(name: str, value: str) -> None:
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        # The message omits the value, which may be another secret.
        raise ImproperlyConfigured(f"{name} must be 64 hexadecimal digits ({_HOW}).")


def _wrong(name: str, value: str, accepted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}. Accepted: {accepted}.")
