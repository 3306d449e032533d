"""Only orphans of this checkout, boot, namespace and user are ended."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import psutil
import pytest

from config.stack import processes

# Prints a line once it runs. Before that, its environment may still be this process's.
WAITING: Final = ("sh", "-c", "echo; exec sleep 600")
Start: TypeAlias = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a waiting process with this mark."""
    started: list[subprocess.Popen[bytes]] = []

    def start(mark: str | None, **options: object) -> subprocess.Popen[bytes]:
        environment = dict(os.environ) | ({"PAYMENTS_LAUNCHER": mark} if mark else {})
        child: subprocess.Popen[bytes] = subprocess.Popen(
            WAITING,
            env=environment,
            stdout=subprocess.PIPE,
            **options,  # type: ignore[call-overload]
        )
        assert child.stdout
        child.stdout.readline()
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture
def ended_launcher(start: Start) -> str:
    """Return the mark of a launcher of this checkout that has ended."""
    launcher = start(None)
    mark = processes.mark(launcher.pid)
    launcher.kill()
    launcher.wait()
    return mark


def ends(child: subprocess.Popen[bytes]) -> bool:
    processes.end_orphans()
    return not psutil.pid_exists(child.pid) or child.poll() is not None


def test_orphans_of_an_ended_launcher_are_ended(start: Start, ended_launcher: str) -> None:
    assert ends(start(ended_launcher))


def test_children_of_a_running_launcher_are_left_alone(start: Start) -> None:
    assert not ends(start(processes.mark(os.getpid())))


def test_reused_pid_does_not_protect_orphans(start: Start) -> None:
    """A process that started later has the launcher's old pid."""
    *rest, started = processes.mark(os.getpid()).split()
    assert ends(start(" ".join([*rest, str(int(started) - 1)])))


@pytest.mark.parametrize("place", [0, 1], ids=["checkout", "boot"])
def test_orphans_of_another_checkout_or_boot_are_left_alone(
    start: Start, ended_launcher: str, place: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fields = ended_launcher.split()
        fields[0] = processes.mark(1, Path(folder)).split()[0] if place == 0 else fields[0]
        fields[1] = fields[1][::-1] if place == 1 else fields[1]
        assert not ends(start(" ".join(fields)))


def test_orphans_of_make_run_are_left_alone_by_tests(start: Start, ended_launcher: str) -> None:
    assert ended_launcher.startswith("tests:")
    assert not ends(start("run" + ended_launcher.removeprefix("tests")))


def test_marks_of_older_versions_and_other_forms_are_left_alone(
    start: Start, ended_launcher: str
) -> None:
    others = ["1@1700000000.00", "nonsense", ended_launcher + " more", ended_launcher[:-1] + "x y"]
    for child in [start(mark) for mark in others]:
        assert not ends(child)


def test_step_of_the_clock_changes_no_mark(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil's start times use the boot time in /proc/stat, which a step of the clock changes."""
    child = start(processes.mark(os.getpid()))
    real = psutil._pslinux.boot_time
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + 1)
    assert not ends(child)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a process's user or namespace")
def test_another_users_processes_are_left_alone(start: Start, ended_launcher: str) -> None:
    mail = 8
    assert not ends(start(ended_launcher, user=mail, group=mail, extra_groups=[]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a process's user or namespace")
def test_processes_of_another_pid_namespace_are_left_alone(
    start: Start, ended_launcher: str
) -> None:
    """The launcher's pid differs between namespaces, for example in a container."""
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root make a PID namespace")
    outer = subprocess.Popen(
        [*unshare, *WAITING],
        env=os.environ | {"PAYMENTS_LAUNCHER": ended_launcher},
        stdout=subprocess.PIPE,
    )
    try:
        assert outer.stdout
        outer.stdout.readline()
        (inner,) = psutil.Process(outer.pid).children()
        assert not processes._is_orphan(inner)
        # Do not end orphans here: the namespace's parent would be ended too.
    finally:
        outer.kill()
        outer.communicate()
