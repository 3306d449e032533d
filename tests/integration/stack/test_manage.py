"""`./manage.py` with any Python, without servers, and with an unreachable database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from config.stack import place, processes
from config.stack.errors import StackError
from tests.support import servers

MANAGE: Final = place.PROJECT / "manage.py"
AWAY: Final = "postgres://me:tops3cret@127.0.0.1:1/payments"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with only these environment variables."""
    return subprocess.run(
        [str(part) for part in command],
        env={"PATH": os.defpath} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify_events", "--help"],
        pytest.param(["help"], marks=pytest.mark.slow),
        pytest.param(["-h"], marks=pytest.mark.slow),
        pytest.param([], marks=pytest.mark.slow),
    ],
)
def test_help_needs_no_server_and_no_key(arguments: list[str]) -> None:
    done = run(sys.executable, MANAGE, *arguments)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(
    (place.PROJECT / ".local" / "environment").exists(),
    reason="`make run` is running in this checkout, so commands have a server",
)
@pytest.mark.parametrize("environment", [{}, {"DATABASE_URL": " "}, {"DEBUG": "1"}])
def test_command_without_a_server_fails_in_one_line(environment: dict[str, str]) -> None:
    done = run(sys.executable, MANAGE, "projections", **environment)

    assert done.returncode == 1
    assert "tart `make run`, or set DATABASE_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_unreachable_database_is_reported_with_the_cause() -> None:
    done = run(sys.executable, MANAGE, "projections", DATABASE_URL=AWAY, **servers.SECRETS)

    assert done.returncode == 1
    assert '"127.0.0.1", port 1 failed: Connection refused' in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "tops3cret" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["projections"], ["policy", "list"], ["create_api_key", "Acme Ltd"]]
)
def test_database_without_tables_asks_for_migrate(arguments: list[str]) -> None:
    url = servers.postgres().url("postgres")

    done = run(sys.executable, MANAGE, *arguments, DATABASE_URL=url, **servers.SECRETS)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: The database lacks tables of this version. Run: ./manage.py migrate"
    ]


@pytest.mark.slow
def test_other_database_errors_keep_their_traceback() -> None:
    code = (
        "from django.db import connection\n"
        "connection.cursor().execute('SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)')"
    )

    done = run(
        *(sys.executable, MANAGE, "shell", "--no-imports", "-c", code),
        **servers.SECRETS,
        DATABASE_URL=servers.postgres().url("postgres"),
    )

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "QueryCanceled" in done.stderr


@pytest.mark.slow
def test_closed_pipe_is_not_an_error() -> None:
    code = "for n in range(10**6): print(n)"
    with subprocess.Popen(
        [sys.executable, MANAGE, "shell", "--no-imports", "-c", code],
        env={"PATH": os.defpath, "DATABASE_URL": AWAY, **servers.SECRETS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as done:
        assert done.stdout
        assert done.stderr
        assert done.stdout.readline() == b"0\n"

        done.stdout.close()

        assert done.stderr.read() == b""
    assert done.returncode == 141


def test_python_without_django_continues_with_the_environment(tmp_path: Path) -> None:
    shutil.copy(MANAGE, tmp_path)
    python = [sys.executable, "-I", "-S"]  # without the packages of this interpreter

    done = run(*python, tmp_path / "manage.py", "help")

    assert done.returncode == 1
    assert done.stderr == "error: Django is not installed here. Run: make install\n"

    environment = tmp_path / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").write_text('#!/bin/sh\necho continued "$@"\n')
    (environment / "python").chmod(0o755)

    done = run(*python, tmp_path / "manage.py", "payment", "an id")

    assert done.stdout == f"continued {tmp_path}/manage.py payment an id\n"


@pytest.mark.slow
def test_dbshell_finds_the_psql_of_the_embedded_server(tmp_path: Path) -> None:
    """The socket's folder is in the URL's query, where dbshell would not look."""
    done = subprocess.run(
        [sys.executable, MANAGE, "dbshell"],
        input="SELECT 'answer is ' || 6 * 7;",
        env={
            "PATH": str(tmp_path),
            "DATABASE_URL": servers.postgres().url("postgres"),
            **servers.SECRETS,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert "answer is 42" in done.stdout, done.stderr


@pytest.mark.slow
def test_check_deploy_finds_no_issue_with_https() -> None:
    environment = {"DATABASE_URL": AWAY, "HTTPS": "1", "HSTS_SECONDS": "3600"} | servers.SECRETS

    done = run(
        sys.executable, MANAGE, "check", "--deploy", "--fail-level", "WARNING", **environment
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_copies_for_the_servers_account_are_readable(tmp_path: Path, umask: int) -> None:
    """With a umask of 077, pip installs files that only their owner can read."""
    source = tmp_path / "wheel"
    before = os.umask(umask)
    try:
        (source / "bin").mkdir(parents=True)
        (source / "bin" / "program").touch(mode=0o700)
        (source / "data").touch(mode=0o600)
        (source / "link").symlink_to("data")

        copy = processes.copy_for_servers(source, tmp_path / "home" / "copy")
        program = processes.copy_for_servers(
            source / "bin" / "program", tmp_path / "one" / "program"
        )
    finally:
        os.umask(before)

    modes = {
        path.name: path.stat().st_mode & 0o777 for path in (*copy.rglob("*"), copy, copy.parent)
    }

    assert modes == {
        **dict.fromkeys(("home", "copy", "bin", "program"), 0o755),
        **dict.fromkeys(("data", "link"), 0o644),
    }
    assert program.stat().st_mode & 0o777 == 0o755
    assert (copy / "link").is_symlink()
    assert not list(tmp_path.rglob("*.unfinished"))


def test_nearly_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.check_room(tmp_path)
    full = shutil.disk_usage(tmp_path)._replace(free=12_300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)

    with pytest.raises(StackError, match=f"Only 12 MB are free in {tmp_path}."):
        place.check_room(tmp_path)
