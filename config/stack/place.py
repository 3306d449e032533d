"""The folders of the embedded servers, and the lock that admits one launcher at a time."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config import variables
from config.stack import checkout, processes
from config.stack.errors import StackError

PROJECT: Final = checkout.PROJECT
_NEEDED_MB: Final = 200
_ENVIRONMENT: Final = checkout.LOCAL / "environment"


def data_folder() -> Path:
    """Return the folder of the data, and create it if it is missing."""
    return _made(checkout.data_folder())


def socket_folder() -> Path:
    """Return the folder of the sockets, and create it if it is missing."""
    return _made(checkout.socket_folder())


def check_room(folder: Path) -> None:
    """Raise StackError if the disk is nearly full."""
    if note := shortage(folder):
        raise StackError(f"{note} The servers need {_NEEDED_MB} MB.")


def shortage(folder: Path) -> str:
    """Return a sentence about the free space in the folder, or "" if it is enough."""
    free = shutil.disk_usage(folder).free // 10**6
    return f"Only {free} MB are free in {folder}." if free < _NEEDED_MB else ""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock `folder` against other launchers. Raises StackError if another launcher holds the lock."""
    with (folder / "lock").open("w") as file:
        try:
            # Children would inherit a lock by flock. This lock ends with the process that took it.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"`make run` already uses the data in {folder}. Stop it first with Ctrl-C."
            ) from None
        yield


def forget_environment() -> None:
    """Remove the file of variables that a killed launcher left behind."""
    _ENVIRONMENT.unlink(missing_ok=True)


@contextmanager
def shared_environment() -> Iterator[None]:
    """Let `./manage.py` use the servers and keys of this launcher inside the block."""
    _ENVIRONMENT.parent.mkdir(exist_ok=True)
    variables.save(_ENVIRONMENT)
    try:
        yield
    finally:
        _ENVIRONMENT.unlink(missing_ok=True)


def kept_secret(path: Path) -> tuple[str, bool]:
    """Return the secret in the file and whether it is new. It is created if it is missing."""
    made = not path.exists()
    if made:
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(12))
    return path.read_text(), made


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if owner not in {os.geteuid(), processes.account().get("user")}:
        raise StackError(f"{folder} belongs to another user (uid {owner}). Remove it.")
    processes.give(folder)
    return folder
