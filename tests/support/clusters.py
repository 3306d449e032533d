"""PostgreSQL clusters that a test may break. They copy one that is prepared once per run."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString, cast

import psycopg
from msgspec import Struct

from config.stack import place, processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import servers

DATABASE: Final = "payments"
# The name that the documentation gives to the role of the service.
ROLE: Final = "service"


class Template(Struct, frozen=True):
    """A stopped cluster with the service's tables, its role and a client.

    `data` is its data folder, `api_key` a key of the client.
    """

    data: Path
    api_key: str


@contextmanager
def valkey(*, durable: bool = True) -> Iterator[Valkey]:
    """Run a Valkey that the caller may break."""
    folder = servers.own_folder()
    with Valkey(folder, folder, durable=durable) as server:
        yield server
    shutil.rmtree(folder)


@contextmanager
def cluster(
    *, durable: bool = True, programs: Path | None = None, prepared: bool = True
) -> Iterator[Postgres]:
    """Run a cluster. With `prepared`, it has the template's database and role."""
    folder = servers.own_folder()
    server = Postgres(folder, folder, durable=durable, programs=programs)
    if prepared:
        copy(template(server.binaries).data, server.data)
    with server:
        yield server
    shutil.rmtree(folder)


def template(programs: Path | None = None) -> Template:
    """Return the template for these PostgreSQL programs. The run's first caller makes it."""
    folder = servers.run_folder() / "template"
    folder.mkdir(exist_ok=True)
    processes.give(folder)
    server = Postgres(folder, folder, durable=False, programs=programs)
    key = server.data.with_suffix(".key")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not key.exists():
            with server:
                api_key = _prepare(server)
            key.write_text(api_key)
    return Template(server.data, key.read_text())


def copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners and modes."""
    subprocess.run(["cp", "-a", source, target], check=True)


def _prepare(server: Postgres) -> str:
    """Make the tables, the service's role and a client. Return the client's API key."""
    server.create_database(DATABASE)
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": server.url(DATABASE),
        "REDIS_URL": servers.valkey().url(),
        "DEBUG": "0",
        **servers.SECRETS,
    }

    def manage(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, str(place.PROJECT / "manage.py"), *arguments],
            env=os.environ | environment,
            cwd=place.PROJECT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()

    manage("migrate", "--verbosity=0")
    with psycopg.connect(server.url(DATABASE), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN")
        owner.execute(_grants())
    return manage("create_api_key", "Acme")


def _grants() -> LiteralString:
    """Return the privileges that the documentation grants to the role."""
    readme = (place.PROJECT / "config" / "README.md").read_text()
    block = re.search(r"```sql\n(\s*GRANT SELECT, INSERT, UPDATE, DELETE.*?)```", readme, re.DOTALL)
    assert block is not None
    return cast("LiteralString", block[1])
