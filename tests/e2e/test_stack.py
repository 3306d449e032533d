"""`make run` is started, interrupted, killed, started again, and given invalid settings."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path
from typing import Final

import psycopg
import pytest
import redis

from config.stack import place
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.e2e.launcher import PATIENCE, Launcher
from tests.e2e.service import BODY, free_port

pytestmark = pytest.mark.slow

NOBODY: Final = 65534
PYTHON: Final = f"python3.{sys.version_info.minor}"


def test_first_start_prepares_everything_and_later_starts_are_fast(
    new_launcher: Launcher,
) -> None:
    """Each start is ended by a different signal, and no process remains."""
    launcher = new_launcher
    process = launcher.start()
    launcher.await_welcome()

    assert re.search("^Applying [0-9]+ migrations$", launcher.printed(), re.MULTILINE)
    assert urllib.request.urlopen(launcher.url).status == 200
    names = {running.name() for running in launcher.processes()}
    assert {"postgres", "valkey-server"} <= names
    stop(launcher, process, signal.SIGINT)

    importing = _seconds_to_import()
    process = launcher.start()
    took = launcher.await_welcome()
    importing = max(importing, _seconds_to_import())

    # Five processes import the project, which may take longer than 5 seconds on slow machines.
    assert took < max(5, 5 * importing)
    assert "Applying" not in launcher.printed()
    stop(launcher, process, signal.SIGTERM)

    process = launcher.start()
    launcher.await_welcome()
    stop(launcher, process, signal.SIGHUP)


def stop(launcher: Launcher, process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)
    assert process.wait(PATIENCE) == 128 + number
    assert launcher.processes() == []


def _seconds_to_import() -> float:
    began = time.monotonic()
    code = "import django; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=place.PROJECT, env=environment, check=True)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "pauses",
    [(0.6, 2.0), pytest.param((0.2, 0.6, 1.2, 2.0, 4.0), marks=pytest.mark.nightly)],
    ids=len,
)
def test_launchers_that_were_killed_while_starting_do_not_block_the_next(
    new_launcher: Launcher, pauses: tuple[float, ...]
) -> None:
    for pause in pauses:
        process = new_launcher.start({"DEMO": "0"})
        time.sleep(pause)
        process.kill()
        process.wait()

    new_launcher.start({"DEMO": "0"})
    new_launcher.await_welcome()


def test_busy_port_is_reported(launcher: Launcher) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", launcher.port))
        busy.listen()
        assert f"Port {launcher.port} cannot be used" in launcher.refused()


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"PORT": "http"}, "PORT is 'http'. Accepted: a whole number from 1 to 65535."),
        (
            {"DATABASE_URL": "postgres://me:secret@127.0.0.1:1/x", "DEBUG": "1"},
            'connection to server at "127.0.0.1", port 1 failed: Connection refused',
        ),
        ({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "cannot be reached (127.0.0.1:1)"),
        ({"POSTGRES_BIN": "/nowhere"}, "POSTGRES_BIN is /nowhere"),
        ({"DEBUG": "0"}, "Set SECRET_KEY"),
        # tests/unit/test_variables.py covers these messages in every run, so this is nightly.
        *(
            pytest.param(environment, complaint, marks=pytest.mark.nightly)
            for environment, complaint in (
                (
                    {"WEB_CONCURRENCY": "many"},
                    "WEB_CONCURRENCY is 'many'. Accepted: a whole number",
                ),
                ({"DEMO": "perhaps"}, "DEMO is 'perhaps'. Accepted: 1 or 0"),
                ({"API_RATE_PER_MINUTE": "x"}, "API_RATE_PER_MINUTE is 'x'. Accepted: a whole"),
                ({"SEAL_KEY": "abc"}, "SEAL_KEY must be 64 hexadecimal digits"),
                (
                    {"DATABASE_URL": "postgres://me:secret@127.0.0.1:1/x"},
                    "Set SECRET_KEY to a long random",
                ),
                ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must be like postgres://"),
                ({"REDIS_URL": "nonsense"}, "REDIS_URL must be like redis://"),
                (
                    {"DEBUG": "0", "SECRET_KEY": "only-for-development-never-for-money"},
                    "Set SECRET_KEY",
                ),
            )
        ),
    ],
)
def test_invalid_settings_are_reported_in_one_line(
    launcher: Launcher, environment: dict[str, str], complaint: str
) -> None:
    output = launcher.refused(environment)

    assert complaint in output
    assert "secret@" not in output
    assert len(output.strip().splitlines()) == 1
    assert launcher.processes() == []


def test_server_that_requires_a_password_is_reported(
    launcher: Launcher, own_valkey: Valkey
) -> None:
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.config_set("requirepass", "of-the-server")
    message = launcher.refused({"REDIS_URL": own_valkey.url()})
    assert f"REDIS_URL cannot be used: {own_valkey.socket} asks for a password." in message
    with redis.Redis.from_url(own_valkey.url(), password="of-the-server") as client:
        client.config_set("requirepass", "")


def test_commands_use_the_keys_of_the_launcher_and_a_second_launcher_is_refused(
    launcher: Launcher,
) -> None:
    """With another PSEUDONYM_KEY, a command would miss the customer or create a duplicate."""
    launcher.start()
    launcher.await_welcome()
    environment = launcher.project / ".local" / "environment"
    assert environment.stat().st_mode & 0o777 == 0o600

    key = launcher.manage("create_api_key", "Acme").strip()
    request = urllib.request.Request(
        launcher.url.replace("/admin/login/", "/api/v1/payments"),
        json.dumps(BODY | {"customer_id": "customer-zz"}).encode(),
        {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": "first",
        },
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201
    assert "customer-zz" in launcher.manage("customer", "show", "Acme", "customer-zz")

    second = Launcher(launcher.project, free_port())
    second.output = launcher.project / "second"
    assert "already uses the data" in second.refused()
    assert urllib.request.urlopen(launcher.url).status == 200

    launcher.end()
    assert not environment.exists()


def test_external_servers_get_no_demo_data(
    new_launcher: Launcher, own_postgres: Postgres, own_valkey: Valkey
) -> None:
    own_postgres.create_database("mine")
    own = {"DATABASE_URL": own_postgres.url("mine"), "REDIS_URL": own_valkey.url()}
    new_launcher.start(own | {"DEBUG": "1"})
    new_launcher.await_welcome()
    assert "Note: DEBUG=1 on your own database: SECRET_KEY, SEAL_KEY not set." in (
        new_launcher.printed()
    )
    names = {running.name() for running in new_launcher.processes()}
    assert not names & {"postgres", "valkey-server"}
    with psycopg.connect(own_postgres.url("mine")) as connection:
        for table in ("auth_user", "events_event", "clients_client"):
            counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert counted == (0,)


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0, reason="without root all tests here run as an ordinary user")
def test_ordinary_user_can_run_the_stack(new_launcher: Launcher) -> None:
    """If root starts the stack, only the servers run as nobody. Here all processes do."""
    home = new_launcher.project.parent
    # The account nobody can read these files but not enter their folders, so hard links suffice.
    packages, python = home / "packages", home / "python"
    shutil.copytree(sysconfig.get_path("purelib"), packages, copy_function=os.link)
    base = Path(sys.base_prefix)
    for part in (base / "bin" / PYTHON, *base.glob(f"lib/*{PYTHON[1:]}*")):
        _link(part, python / part.relative_to(base))
    for path in (new_launcher.project, *new_launcher.project.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    process = new_launcher.start(
        {
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": str(python / "lib"),
            "HOME": str(new_launcher.project),
            "DEMO": "0",
        },
        python=str(python / "bin" / PYTHON),
        account={"user": NOBODY, "group": NOBODY, "extra_groups": []},
    )
    new_launcher.await_welcome()
    assert {running.username() for running in new_launcher.processes()} == {"nobody"}
    process.terminate()
    assert process.wait(PATIENCE) == 143
    assert new_launcher.processes() == []


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link, symlinks=True)
    else:
        os.link(source, target)
