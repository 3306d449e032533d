"""Child processes that can be told from strangers, also by the next launcher if this one was killed."""

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import psutil

# Every child carries its launcher's identity in its environment. A pid alone would not do: it is used again.
_MARK: Final = "PAYMENTS_LAUNCHER"
_PATIENCE_SECONDS: Final = 10.0


def spawn(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    unprivileged: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, out of reach of the terminal's Ctrl-C.

    It writes to `log`, or to where this process writes. `unprivileged`: see `account`.
    """
    with log.open("ab") if log else nullcontext() as output:
        return subprocess.Popen(
            arguments,
            env={**os.environ, **(environment or {}), _MARK: _identity(psutil.Process())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            **(account() if unprivileged else {}),
        )


@cache
def account() -> dict[str, Any]:
    """Popen's arguments for the account that servers run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path: Path) -> None:
    """Make `path` the property of the servers' account."""
    if owner := account():
        os.chown(path, owner["user"], owner["group"])


def end(process: psutil.Process | subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """Ask the process to end, and insist after a while. Returns when it has ended."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        process.send_signal(how)
    try:
        process.wait(_PATIENCE_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        process.kill()
        process.wait()


def end_orphans() -> int:
    """End what launchers that were killed left behind; return how many processes that were."""
    orphans = [process for process in psutil.process_iter() if _is_orphan(process)]
    for process in orphans:
        with suppress(psutil.NoSuchProcess):
            # PostgreSQL takes SIGTERM as "when the last client has gone".
            process.send_signal(
                signal.SIGINT if process.name().startswith("postgres") else signal.SIGTERM
            )
    _, stubborn = psutil.wait_procs(orphans, timeout=_PATIENCE_SECONDS)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_PATIENCE_SECONDS)
    return len(orphans)


def _identity(process: psutil.Process) -> str:
    return f"{process.pid}@{process.create_time():.2f}"


def _is_orphan(process: psutil.Process) -> bool:
    try:
        launcher: str | None = process.environ().get(_MARK)
    except (psutil.Error, OSError):
        return False  # it has ended, or it is somebody else's
    if launcher is None:
        return False
    with suppress(psutil.NoSuchProcess):
        return _identity(psutil.Process(int(launcher.partition("@")[0]))) != launcher
    return True
