"""Where the embedded servers keep their data and their sockets, and that only one launcher uses it."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config.stack import processes
from config.stack.errors import StackError

PROJECT: Final = Path(__file__).resolve().parent.parent.parent


def data_folder() -> Path:
    """The folder of all that lasts: .local, or for root one that the servers' account can reach."""
    if not processes.account():
        return _made(PROJECT / ".local")
    return _made(Path(f"/var/tmp/payments-{_name()}"))  # noqa: S108 - checked to be ours


def socket_folder() -> Path:
    """A folder with a path of few letters: a socket's may have no more than 107."""
    return _made(Path(f"/tmp/payments-{os.geteuid()}-{_name()}"))  # noqa: S108 - checked to be ours


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other launcher away from `folder`. Raises StackError if one is at work."""
    with (folder / "lock").open("w") as file:
        try:
            # Not flock, which children would inherit: this one ends with the process that took it.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"`make run` is already at work with the data in {folder}. Stop it first (Ctrl-C there)."
            ) from None
        yield


@contextmanager
def told_to_commands(*names: str) -> Iterator[None]:
    """Write these variables to where the settings of `manage.py` find them, while the block lasts."""
    path = PROJECT / ".local" / "environment"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={os.environ[name]}\n" for name in names))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def kept_secret(path: Path) -> str:
    """The secret in the file, which is made at the first call and readable by its owner only."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    return path.read_text()


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if owner not in {os.geteuid(), processes.account().get("user")}:
        raise StackError(f"{folder} belongs to somebody else (uid {owner}). Remove it.")
    processes.give(folder)
    return folder


def _name() -> str:
    return hashlib.sha256(str(PROJECT).encode()).hexdigest()[:8]
