"""Start child processes, and end those that a killed launcher of this checkout left behind."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import psutil

from config.stack import checkout

# The environment variable that holds each child's purpose, checkout and launcher.
_MARK: Final = "PAYMENTS_LAUNCHER"
_purpose = "run"
_PROC: Final = Path("/proc")
_MARK_FIELDS: Final = 4
_START_TIME: Final = 19  # field 22 of proc(5), counted from 0 after the first two
_PATIENCE_SECONDS: Final = 10.0
_RESTART_SECONDS: Final = 2.0


def spawn(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    unprivileged: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child in a separate session, out of reach of the terminal's Ctrl-C.

    Its output goes to `log`, or to the output of this process. `unprivileged`: see `account`.
    """
    with log.open("ab") if log else nullcontext() as output:
        return subprocess.Popen(
            arguments,
            env={**os.environ, **(environment or {}), _MARK: mark(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            **(account() if unprivileged else {}),
        )


@cache
def account() -> dict[str, Any]:
    """Return Popen's arguments for the servers' account: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path: Path) -> None:
    """Make the servers' account the owner of `path`."""
    if owner := account():
        os.chown(path, owner["user"], owner["group"])


def copy_for_servers(source: Path, target: Path) -> Path:
    """Copy a program or a folder of programs to a place where the servers' account can run it.

    Modes are set, not copied: under a umask like 077 pip installs files that only their owner can read. An
    existing `target` is complete and kept.
    """
    if target.exists():
        return target
    target.parent.mkdir(exist_ok=True)
    target.parent.chmod(0o755)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.unfinished")
    if source.is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished, symlinks=True)
    else:
        shutil.copy2(source, unfinished)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        unfinished.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(unfinished)  # another process was first
    return target


def end(process: psutil.Process | subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """Ask the process to end, kill it after ten seconds, and return when it has ended."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        process.send_signal(how)
    try:
        process.wait(_PATIENCE_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        process.kill()
        process.wait()


def end_orphans() -> int:
    """End the processes that killed launchers of this checkout left behind; return their number."""
    orphans = [process for process in psutil.process_iter() if _is_orphan(process)]
    _end_all(orphans)
    return len(orphans)


def end_descendants(leader: int) -> int:
    """End the processes that outlived `leader`, a child of this process that has ended.

    They are the rest of the session that it led. Return their number.
    """
    own = mark(os.getpid())
    left = [
        process
        for process in psutil.process_iter()
        if _session(process) == leader and _mark_of(process) == own
    ]
    _end_all(left, patience=_RESTART_SECONDS)
    return len(left)


def is_local(process: psutil.Process) -> bool:
    """Return whether the process runs as our user or the servers' account, in the same namespaces.

    In another PID namespace, the same pid means another process. Time namespaces shift start times.
    """
    try:
        owner = process.uids().real
        same = all(
            _namespace(process.pid, kind) == _namespace(os.getpid(), kind)
            for kind in ("pid", "time")
        )
    except (psutil.Error, OSError):
        return False  # it has ended, or it belongs to another user
    return same and owner in {os.geteuid(), account().get("user")}


def mark_as(purpose: str) -> None:
    """Mark the children of this process as started for `purpose`. Only its own orphans are ended."""
    global _purpose  # noqa: PLW0603 - one process has one
    _purpose = purpose


def mark(launcher: int, project: Path = checkout.PROJECT) -> str:
    """Return the mark that the process `launcher` gives its children, for the checkout in `project`.

    It contains the start time in clock ticks since the boot, which clock adjustments do not change.
    """
    folder = project.stat()
    started = _start_ticks(launcher)
    return f"{_purpose}:{folder.st_dev}:{folder.st_ino} {_boot()} {launcher} {started}"


def _end_all(processes: Sequence[psutil.Process], *, patience: float = _PATIENCE_SECONDS) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            # SIGTERM would make PostgreSQL wait for its last client.
            process.send_signal(
                signal.SIGINT if process.name().startswith("postgres") else signal.SIGTERM
            )
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_PATIENCE_SECONDS)


def _is_orphan(process: psutil.Process) -> bool:
    """Return whether a launcher of this checkout started the process in this boot and has ended."""
    if not is_local(process) or (found := _mark_of(process)) is None:
        return False
    fields = found.split()
    if len(fields) != _MARK_FIELDS or not fields[2].isdigit():
        return False
    launcher = int(fields[2])
    # The launcher has ended if its pid is free or belongs to a younger process.
    checkout, boot = mark(os.getpid()).split()[:2]
    return fields[:2] == [checkout, boot] and _start_ticks(launcher) != fields[3]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        found: str | None = process.environ().get(_MARK)
    except (psutil.Error, OSError):
        return None
    return found


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _namespace(pid: int, kind: str) -> str | None:
    try:
        return str((_PROC / str(pid) / "ns" / kind).readlink())
    except FileNotFoundError:
        return None  # the kernel has no such namespaces


def _start_ticks(pid: int) -> str:
    """Return the start time of the process as the kernel counts it, or "" if there is none."""
    try:
        # The program's name, in brackets, may itself contain spaces and brackets.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_START_TIME]
    except (OSError, ValueError):
        return ""


@cache
def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
