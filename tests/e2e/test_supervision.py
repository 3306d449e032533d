"""The service restarts its killed processes under traffic."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from config.stack import commands, place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.launcher import PATIENCE, Launcher
from tests.e2e.service import BODY, free_port, service, wait_for
from tests.support import servers

pytestmark = pytest.mark.slow


class Traffic:
    """A client that submits payments in sequence and records the accepted ones."""

    def __init__(self, launcher: Launcher) -> None:
        self._url = launcher.url.removesuffix("/admin/login/") + "/api/v1/payments"
        self._key = launcher.manage("create_api_key", "Acme").strip()
        self.accepted: list[str] = []

    def post(self) -> None:
        body = self._ask(self._url, json.dumps(BODY).encode())
        if body is not None:
            self.accepted.append(str(body["id"]))

    def is_listed(self, payment_id: str) -> bool:
        """Return whether the read models contain the payment."""
        listed = self._ask(self._url, None)
        return bool(listed and any(each["id"] == payment_id for each in listed["payments"]))

    def await_recovery(self) -> None:
        """Wait until another payment is accepted, then until the read models contain it."""
        before = len(self.accepted)
        wait_for(lambda: len(self.accepted) > before, seconds=PATIENCE)
        wait_for(lambda: self.is_listed(self.accepted[-1]), seconds=PATIENCE)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        done = threading.Event()

        def submit() -> None:
            while not done.wait(0.05):
                self.post()

        thread = threading.Thread(target=submit)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _ask(self, url: str, data: bytes | None) -> dict[str, list[dict[str, str]]] | None:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data, headers), timeout=5
            ) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            error.close()
        except (OSError, ValueError):
            pass
        return None


def processes_of(launcher: Launcher) -> dict[str, psutil.Process]:
    """Return the newest process of each kind by the name of the kind."""
    found: dict[str, psutil.Process] = {}
    for process in launcher.processes():
        try:
            line = process.cmdline()
            parent = psutil.Process(process.ppid()).cmdline()
        except psutil.Error:
            continue
        if "beat" in line:
            found["beat"] = process
        elif "webhooks" in line:
            found["webhooks"] = process
        elif "worker" in line:
            found["worker's child" if "worker" in parent else "worker"] = process
        elif "granian" in line:
            found["web's worker" if "granian" in parent else "web's main process"] = process
        elif process.name() == "postgres":
            found.setdefault("postgres", process)
        elif process.name() == "valkey-server":
            found["valkey"] = process
    return found


KINDS = [
    *("web's main process", "web's worker", "worker", "worker's child", "webhooks", "beat"),
    *("postgres", "valkey"),
]


def await_all(launcher: Launcher, *, without: psutil.Process, kinds: set[str]) -> None:
    def complete() -> bool:
        running = processes_of(launcher)
        return kinds <= set(running) and without not in running.values()

    wait_for(complete, seconds=PATIENCE)


def test_make_run_restarts_each_killed_process(launcher: Launcher) -> None:
    process = launcher.start({"WEB_CONCURRENCY": "2"})
    launcher.await_welcome()
    traffic = Traffic(launcher)
    with traffic.flowing():
        for kind in KINDS:
            traffic.await_recovery()
            victim = processes_of(launcher)[kind]
            victim.kill()
            await_all(launcher, without=victim, kinds=set(KINDS))
            traffic.await_recovery()
    assert process.poll() is None
    shown = launcher.printed()
    for name in ("web", "worker", "webhooks", "beat", "postgres", "valkey"):
        assert f"{name} has ended (SIGKILL). Restarting" in shown
    for payment_id in traffic.accepted:
        assert payment_id in launcher.manage("payment", payment_id)
        break
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    assert launcher.processes() == []


@pytest.mark.nightly
def test_production_launcher_restarts_each_killed_process(
    launcher: Launcher, own_postgres: Postgres, own_valkey: Valkey
) -> None:
    """The launcher uses external servers, which it neither starts nor stops."""
    own_postgres.create_database("payments")
    environment = {
        "DATABASE_URL": own_postgres.url("payments"),
        "REDIS_URL": own_valkey.url(),
        **servers.SECRETS,
        "WEB_CONCURRENCY": "2",
    }
    process = launcher.start(environment)
    launcher.await_welcome()
    traffic = Traffic(launcher)
    kinds = set(KINDS) - {"postgres", "valkey"}
    with traffic.flowing():
        for kind in sorted(kinds):
            traffic.await_recovery()
            victim = processes_of(launcher)[kind]
            victim.kill()
            await_all(launcher, without=victim, kinds=kinds)
            traffic.await_recovery()

    assert process.poll() is None


def test_service_survives_its_launcher_and_the_next_one_takes_over(launcher: Launcher) -> None:
    process = launcher.start()
    launcher.await_welcome()
    traffic = Traffic(launcher)
    process.kill()
    process.wait()
    left = launcher.processes()
    with traffic.flowing():
        traffic.await_recovery()
    # The next launcher must end the orphans, which hold its port and its data folder.
    launcher.start()
    launcher.await_welcome()
    assert not any(orphan.is_running() for orphan in left)
    with traffic.flowing():
        traffic.await_recovery()


def test_process_that_always_fails_ends_the_stack_with_its_output(launcher: Launcher) -> None:
    """Tasks that cannot be imported stand in for an invalid configuration."""
    (launcher.project / "readmodels" / "tasks.py").write_text('raise SystemExit("no tasks here")\n')
    process = launcher.start()
    assert process.wait(2 * PATIENCE) == 1, launcher.printed()
    shown = launcher.printed()
    assert re.search(r"error: \w+ ended 5 times at its start \(exit status 1\)", shown)
    assert "no tasks here" in shown
    assert launcher.processes() == []


def test_pauses_between_starts_grow(launcher: Launcher) -> None:
    process = launcher.start()
    launcher.await_welcome()
    for pause in ("in 1 s", "in 2 s"):
        wait_for(lambda: "beat" in processes_of(launcher), seconds=PATIENCE)
        processes_of(launcher)["beat"].kill()
        line = f"beat has ended (SIGKILL). Restarting {pause}."
        wait_for(lambda line=line: line in launcher.printed(), seconds=PATIENCE)  # type: ignore[misc]
        time.sleep(0.1)

    assert process.poll() is None


def test_readme_states_the_commands() -> None:
    used = (commands.web(workers=2), commands.WORKER, commands.WEBHOOKS, commands.BEAT)
    assert quoted_commands() == [shlex.join(command) for command in used]


def quoted_commands() -> list[str]:
    readme = (place.PROJECT / "config" / "README.md").read_text()
    return re.findall("ExecStart=/opt/payments/.venv/bin/(.*)", readme)


class Unit:
    """Run a command like systemd with Restart=always, RestartSec=1 and KillMode=mixed."""

    def __init__(self, command: str, environment: Mapping[str, str], log: Path) -> None:
        program, *options = shlex.split(command)
        self._arguments = [str(Path(sys.executable).parent / program), *options]
        self._environment = os.environ | environment
        self._log = log
        self._stopping = threading.Event()
        self.main = self._start()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        while self._thread.is_alive():  # the command may be starting again
            self.main.terminate()
            self._thread.join(1)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._arguments,
                cwd=place.PROJECT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while True:
            self.main.wait()
            with suppress(ProcessLookupError):
                os.killpg(self.main.pid, signal.SIGKILL)
            if self._stopping.wait(1):
                return
            self.main = self._start()


def test_units_of_the_readme_restart_each_killed_process(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    def works() -> bool:
        """Return whether a payment is accepted and all accepted ones are projected."""
        return running.post()[0] == 201 and bool(
            running.query("SELECT count(*) FROM events_event")
            == 2 * running.query("SELECT count(*) FROM readmodels_paymentsummary")
        )

    with service(own_postgres, own_valkey) as running, ExitStack() as units:
        port = free_port()
        running.url = f"http://127.0.0.1:{port}"
        started = []
        for command in quoted_commands():
            local = command.replace("--port 8000", f"--port {port}")
            unit = Unit(local, running._environment, own_postgres.folder / "units.log")
            units.callback(unit.stop)
            started.append(unit)
        wait_for(works, seconds=PATIENCE)
        for unit in started:
            killed = unit.main
            killed.kill()
            wait_for(lambda unit=unit, killed=killed: unit.main is not killed)  # type: ignore[misc]
            wait_for(works, seconds=PATIENCE)


def test_granian_and_celery_replace_their_own_workers(
    own_postgres: Postgres, own_valkey: Valkey
) -> None:
    """Regression: without --respawn-failed-workers, granian ended with its first worker."""
    with service(own_postgres, own_valkey) as running:
        web = running.start_web(workers=2)
        worker = running.start_worker()
        running.start_beat()
        for main in (web, worker):
            wait_for(lambda main=main: len(workers_of(main)) == 2)  # type: ignore[misc]
            for victim in workers_of(main):
                victim.kill()
                wait_for(
                    lambda main=main, victim=victim: (  # type: ignore[misc]
                        len(workers_of(main)) == 2 and victim not in workers_of(main)
                    ),
                    seconds=PATIENCE,
                )
                # The server takes a worker that ends right after its start for a crash loop.
                time.sleep(6)
            wait_for(lambda: running.post()[0] == 201, seconds=PATIENCE)
            wait_for(
                lambda: (
                    running.query("SELECT count(*) FROM events_event")
                    == 2 * running.query("SELECT count(*) FROM readmodels_paymentsummary")
                ),
                seconds=PATIENCE,
            )
        assert (web.poll(), worker.poll()) == (None, None)


def workers_of(main: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(main.pid).children():
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE and "tracker" not in str(child.cmdline()):
                found.append(child)
    return found
