"""Brings the database up to date before anybody serves it: migrations, and demo data where it is wanted."""

import os
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config.stack.errors import StackError
from config.stack.place import kept_secret

_CONNECT_SECONDS: Final = 5


def prepare(folder: Path) -> list[str]:
    """Migrate if there is a new migration, seed if DEMO is set; return the logins to tell.

    Raises StackError.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise StackError(str(error)) from error
    _check_database()
    _check_broker()
    try:
        _migrate()
        return _seed(folder) if os.environ["DEMO"] == "1" else []
    finally:
        from django.db import connections

        connections.close_all()


def _check_database() -> None:
    import psycopg
    from django.db import connection

    parameters = connection.get_connection_params() | {"connect_timeout": _CONNECT_SECONDS}
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    try:
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise StackError(f"DATABASE_URL cannot be reached: {reason}") from error


def _check_broker() -> None:
    import redis
    from django.conf import settings

    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_CONNECT_SECONDS).ping()
    except (redis.RedisError, ValueError) as error:
        # Without the user and the password that the URL may hold.
        where = urlsplit(settings.REDIS_URL)
        raise StackError(
            f"REDIS_URL cannot be reached ({where.hostname or where.path}): {error}"
        ) from error


def _migrate() -> None:
    """Migrate, unless there is nothing to do: looking costs a tenth of the command."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, stdout=sys.stdout)


def _seed(folder: Path) -> list[str]:
    """Demo data that is projected at once: the first page should show it."""
    from payments.traffic import demo
    from readmodels.projections import PROJECTIONS
    from readmodels.runner import catch_up

    password = kept_secret(folder / "demo-password")
    if demo.seed(password):
        for projection in PROJECTIONS.values():
            catch_up(projection)
    return [f"log in as {username} / {password}" for username in demo.STAFF]
