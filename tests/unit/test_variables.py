"""Environment variables: each invalid one is named in one line with the accepted values."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import variables
from config.stack import place
from tests.support import servers

GOOD: Final = {"DATABASE_URL": "postgres://me@127.0.0.1:1/payments", **servers.SECRETS}


# For each line with a list of environments, reads the settings with each of them and prints a line
# with the results. Ignores the variables of a service that runs in this checkout.
PROGRAM: Final = """
import json, os, runpy, sys
from config import variables
variables.load = lambda path: None
for line in sys.stdin:
    found = []
    for environment in json.loads(line):
        os.environ.clear()
        os.environ.update(environment)
        try:
            settings = runpy.run_module("config.settings")
            found.append([settings["DEBUG"], settings["PROXIES"]])
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    print(json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def read_settings() -> Iterator[Callable[..., list[Any]]]:
    """Yield a function that reads the settings with given environments in a separate process."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=place.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        requests, results = reader.stdin, reader.stdout

        def read(*environments: dict[str, str]) -> list[Any]:
            print(json.dumps(environments), file=requests, flush=True)
            return list(json.loads(results.readline()))

        yield read


WRONG: Final = [
    ("DEBUG", "maybe", "DEBUG is 'maybe'. Accepted: 1 or 0"),
    ("HTTPS", "2", "HTTPS is '2'. Accepted: 1 or 0"),
    ("API_RATE_PER_MINUTE", "x", "API_RATE_PER_MINUTE is 'x'. Accepted: a whole number from 1"),
    ("API_RATE_PER_MINUTE", "0", "API_RATE_PER_MINUTE is '0'. Accepted: a whole number from 1"),
    ("API_RATE_PER_MINUTE", "1e3", "API_RATE_PER_MINUTE is '1e3'."),
    ("API_RATE_PER_MINUTE", "١٢", "API_RATE_PER_MINUTE is '١٢'."),
    ("WEB_THREADS", "-1", "WEB_THREADS is '-1'. Accepted: a whole number from 1 to 1000."),
    ("BODY_SECONDS", "0", "BODY_SECONDS is '0'. Accepted: a number of seconds above 0"),
    ("BODY_SECONDS", "nan", "BODY_SECONDS is 'nan'."),
    ("PROXIES", "one", "PROXIES is 'one'. Accepted: a whole number from 0"),
    ("HSTS_SECONDS", "1.5", "HSTS_SECONDS is '1.5'."),
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'. Accepted: DEBUG, INFO, WARNING"),
    ("CSRF_TRUSTED_ORIGINS", "pay.example.com", "CSRF_TRUSTED_ORIGINS is 'pay.example.com'."),
    ("DATABASE_URL", "mysql://me@host/x", "DATABASE_URL must be like postgres://"),
    ("DATABASE_URL", "postgres://me@host:port/x", "DATABASE_URL must be like postgres://"),
    ("DATABASE_URL", "postgres://me@host", "It names no database."),
    ("REDIS_URL", "nonsense", "REDIS_URL must be like redis://"),
    ("REDIS_URL", "redis://host:port/0", "REDIS_URL must be like redis://"),
    ("REDIS_URL", "redis://host/first", "REDIS_URL must be like redis://"),
    ("SEAL_KEY", "abc", "SEAL_KEY must be 64 hexadecimal digits"),
    ("SEAL_KEY", "de" * 32, "SEAL_KEY is the published development key"),
    ("SEAL_PUBLIC_KEYS", "5e" * 32 + ",abc", "SEAL_PUBLIC_KEYS must be 64 hexadecimal digits"),
    ("SECRET_KEY", "", "Set SECRET_KEY to a long random string"),
    ("SECRET_KEY", "x", "SECRET_KEY is too weak: use at least 32 random characters"),
    ("SECRET_KEY", "0123456789abcdef" * 4, "SECRET_KEY is too weak"),
    ("SECRET_KEY", "aabbccdd" + "a" * 32, "SECRET_KEY is too weak"),
    ("PSEUDONYM_KEY", "only-for-development-never-for-money", "Set PSEUDONYM_KEY"),
    ("PSEUDONYM_KEY", "short", "PSEUDONYM_KEY is too weak"),
    ("METRICS_TOKEN", "a\nb", "METRICS_TOKEN contains a line break."),
]


def test_invalid_variable_is_named_with_accepted_values(
    read_settings: Callable[..., list[Any]],
) -> None:
    messages = read_settings(*(GOOD | {name: value} for name, value, _ in WRONG))
    for (name, _, complaint), message in zip(WRONG, messages, strict=True):
        assert str(message).startswith("ImproperlyConfigured: ")
        assert name in message
        assert complaint in message
        assert "\n" not in message


def test_valid_and_empty_variables_are_accepted(read_settings: Callable[..., list[Any]]) -> None:
    names = ("DEBUG", "API_RATE_PER_MINUTE", "REDIS_URL", "SEAL_KEY", "STATIC_ROOT")
    good, *empty = read_settings(
        GOOD | {"DEBUG": "off", "PROXIES": " 2 "}, *(GOOD | {name: " "} for name in names)
    )

    assert good == [False, 2]
    assert empty == [[False, 0]] * len(names)


def test_missing_server_is_named_without_variables(read_settings: Callable[..., list[Any]]) -> None:
    for message in read_settings({}, GOOD | {"DATABASE_URL": ""}):
        assert "No database is configured: start `make run`, or set DATABASE_URL" in message


def test_weak_secrets_are_accepted_in_debug_mode(read_settings: Callable[..., list[Any]]) -> None:
    weak = {"DEBUG": "1", "SECRET_KEY": "x", "PSEUDONYM_KEY": "short"}
    assert read_settings(weak) == [[True, 0]]


def test_value_of_invalid_secret_is_not_shown(read_settings: Callable[..., list[Any]]) -> None:
    names = ("SEAL_KEY", "SECRET_KEY", "PSEUDONYM_KEY", "SEAL_PUBLIC_KEYS")
    for message in read_settings(*(GOOD | {name: "tops3cret"} for name in names)):
        assert message.startswith("ImproperlyConfigured")
        assert "tops3cret" not in message


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of variables as a launcher writes it."""
    monkeypatch.setattr(variables, "_read_names", set())
    for name in ("DATABASE_URL", "PSEUDONYM_KEY", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgres:///launched")
    monkeypatch.setenv("PSEUDONYM_KEY", ODD)
    for name in ("DATABASE_URL", "PSEUDONYM_KEY", "REDIS_URL"):
        variables.given(name)
    variables.save(tmp_path / "environment")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("PSEUDONYM_KEY")
    return tmp_path / "environment"


ODD: str = os.fsdecode(b"'quoted' \"twice\" $HOME #no=comment \\n \xff \xe2\x82\xac")


def test_file_of_variables_is_read_as_written(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    variables.load(file)
    assert os.environ["PSEUDONYM_KEY"] == ODD
    assert os.environ["DATABASE_URL"] == "postgres:///launched"
    assert "REDIS_URL" not in os.environ


def test_environment_overrides_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", "mine")
    variables.load(file)
    assert variables.given("PSEUDONYM_KEY") == "mine"


def test_keys_of_file_are_ignored_with_other_database(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres:///another")
    variables.load(file)
    assert variables.given("PSEUDONYM_KEY") is None


def test_number_over_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "9" * 30)
    with pytest.raises(ImproperlyConfigured, match="WEB_THREADS"):
        variables.number("WEB_THREADS", 4)
