"""Install, reset and clean this checkout: the actions of `make install`, `make reset` and `make clean`.

It runs as a script before anything is installed, so it imports only the standard library.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older versions get the message
    sys.exit(
        "error: Python 3.11 or newer is needed, {} is {}. Choose another: make PYTHON=python3.12 ...".format(  # noqa: UP032
            sys.executable, sys.version.split()[0]
        )
    )

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent.parent
LOCAL: Final = PROJECT / ".local"
_ENVIRONMENT: Final = PROJECT / ".venv"
_MARKER: Final = _ENVIRONMENT / ".installed"
_PYTHON: Final = _ENVIRONMENT / "bin" / "python"
_LOCK: Final = PROJECT / "requirements.lock"
_NEEDED_BYTES: Final = 1_200_000_000


def name() -> str:
    """Return a name for this checkout in folders that all users share."""
    return hashlib.sha256(str(PROJECT).encode()).hexdigest()[:8]


def data_folder() -> Path:
    """Return the data folder: .local, or for root a folder that the servers' account can reach."""
    return Path(f"/var/tmp/payments-{name()}") if os.geteuid() == 0 else LOCAL  # noqa: S108 - checked to be ours


def socket_folder() -> Path:
    """Return a folder with a short path: a socket's path has at most 107 characters."""
    return Path(f"/tmp/payments-{os.geteuid()}-{name()}")  # noqa: S108 - checked to be ours


def install(*, chosen: bool) -> int:
    """Create or complete the environment. `chosen` is whether the user named this interpreter."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    installed = _installed_version() if chosen else version
    fresh = _MARKER.exists() and _MARKER.stat().st_mtime >= _LOCK.stat().st_mtime
    if fresh and installed == version:
        return 0
    # A missing marker means an interrupted installation, so the environment is created again.
    if not _MARKER.exists() or installed != version or _installed_version() is None:
        if _ENVIRONMENT.is_symlink():
            return _refuse(
                f"{_ENVIRONMENT} is a symbolic link and is not replaced. Remove it or repair its target."
            )
        free = shutil.disk_usage(PROJECT).free
        if free < _NEEDED_BYTES:
            return _refuse(
                f"about {_NEEDED_BYTES // 10**6:,} MB are needed and {free // 10**6:,} MB are free"
                f" in {PROJECT}."
            )
        if _MARKER.exists():
            print(f"Replacing .venv, whose Python is {installed or 'gone'}", flush=True)
            _MARKER.unlink()
        made = _run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], "Creating .venv")
        if made != 0:
            return _refuse(
                f"{sys.executable} could not create an environment. Its output is above."
                f" On Debian and Ubuntu: apt-get install python3-venv python{version}-venv"
            )
    done = _run(
        [
            *(str(_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--requirement", str(_LOCK)),
        ],
        "Installing into .venv (once)",
    )
    if done != 0:
        return _refuse("the installation failed. pip's output is above. Try again: make install")
    _MARKER.touch()
    return 0


def reset() -> int:
    """Delete the data of `make run`. The next start creates new demo data and a new password."""
    running = _running()
    if running:
        return _refuse(running)
    for folder in (data_folder(), socket_folder(), LOCAL):
        _remove(folder)
    return 0


def clean() -> int:
    """Delete the data and the environment."""
    refused = reset()
    if refused:
        return refused
    if _ENVIRONMENT.is_symlink():
        _ENVIRONMENT.unlink()
    else:
        _remove(_ENVIRONMENT)
    return 0


def _installed_version() -> str | None:
    """Return the version of the environment's Python, or None if it or its pip does not work."""
    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    with suppress(OSError):
        done = subprocess.run([_PYTHON, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def _run(arguments: Sequence[str], title: str) -> int:
    """Run a program, and show the elapsed time in a terminal.

    It gets its own process group. Otherwise Ctrl-C would make each of its processes print a traceback.
    """
    done = threading.Event()
    clock = threading.Thread(target=_show_time, args=(title, done))
    clock.start()
    try:
        with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, process_group=0) as program:
            try:
                return program.wait()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                raise
    finally:
        done.set()
        clock.join()


def _show_time(title: str, done: threading.Event) -> None:
    began = time.monotonic()
    if not sys.stdout.isatty():
        print(title, flush=True)
        return
    while not done.wait(1):
        print(f"\r{title}: {time.monotonic() - began:.0f} s", end="", flush=True)
    print(f"\r{title}: {time.monotonic() - began:.0f} s")


def _running() -> str | None:
    """Return a sentence about a launcher or server that uses the data, or None."""
    folder = data_folder()
    with suppress(FileNotFoundError), (folder / "lock").open("r+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return f"`make run` uses the data in {folder}. Stop it first with Ctrl-C."
    for server in (".s.PGSQL.5432", "valkey"):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(socket_folder() / server))
            return (
                f"A killed `make run` left servers running with the data in {folder}."
                " Start `make run`, which takes them over, and stop it with Ctrl-C."
            )
    return None


def _remove(folder: Path) -> None:
    if not folder.is_dir():
        return
    if folder.stat().st_uid not in {os.geteuid(), _nobody()}:
        sys.exit(f"error: {folder} belongs to another user. Remove it yourself.")
    print(f"Removing {folder}")
    shutil.rmtree(folder)


def _nobody() -> int | None:
    """Return the account `nobody`, which runs the servers and owns their data if root starts them."""
    import pwd

    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _refuse(reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr)
    return 1


def main(arguments: Sequence[str]) -> int:
    actions: dict[str, Callable[[], int]] = {
        "install": lambda: install(chosen="--chosen" in arguments),
        "reset": reset,
        "clean": clean,
    }
    for ending in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(ending) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(ending, signal.default_int_handler)
    try:
        return actions[arguments[0]]()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
