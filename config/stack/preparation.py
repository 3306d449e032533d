"""Migrate the database and add demo data before the service starts."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from config import variables
from config.postgresql.messages import one_line
from config.stack.errors import StackError
from config.stack.place import kept_secret

_CONNECT_SECONDS: Final = 5


def prepare(folder: Path, *, demo: bool) -> list[str]:
    """Apply new migrations, add demo data if `demo`, and return lines about the demo's logins.

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
        return _seed(folder) if demo else []
    finally:
        from django.db import connections

        connections.close_all()


def notes(*, embedded: bool) -> list[str]:
    """Return notes for the operator about the keys in use."""
    from django.conf import settings

    if settings.DEBUG and not embedded:
        names = ("SECRET_KEY", "PSEUDONYM_KEY", "SEAL_KEY")
        if unset := [name for name in names if variables.given(name) is None]:
            return [
                f"DEBUG=1 on your own database: {', '.join(unset)} not set."
                " Published development keys are used instead."
            ]
    if not settings.DEBUG and not settings.SEAL_KEY:
        return ["SEAL_KEY is not set, so nothing is sealed (`openssl rand -hex 32` prints one)."]
    return []


def _check_database() -> None:
    import psycopg
    from django.db import connection

    parameters = connection.get_connection_params() | {"connect_timeout": _CONNECT_SECONDS}
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    try:
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        raise StackError(f"DATABASE_URL cannot be reached: {one_line(error)}") from error


def _check_broker() -> None:
    import redis
    from django.conf import settings

    # Errors show the address without the user and the password that the URL may contain.
    parts = urlsplit(settings.REDIS_URL)
    where = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_CONNECT_SECONDS).ping()
    except redis.AuthenticationError as error:
        problem = "refuses the password" if parts.password else "asks for a password"
        raise StackError(
            f"REDIS_URL cannot be used: {where} {problem}. Put it into the URL, like redis://:PASSWORD@host:6379/0."
        ) from error
    except (redis.RedisError, ValueError) as error:
        raise StackError(f"REDIS_URL cannot be reached ({where}): {error}") from error


def _migrate() -> None:
    """Apply new migrations. Without any, skip the migrate command, which takes ten times as long."""
    from django.core.management import call_command
    from django.db import ProgrammingError, connection
    from django.db.migrations.executor import MigrationExecutor

    from readmodels import roles

    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print(f"Applying {len(plan)} migration{'s' if len(plan) > 1 else ''}", flush=True)
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except ProgrammingError as error:
            # The service's role should not own the tables, so it usually cannot migrate.
            raise StackError(
                f"The migrations failed: {one_line(error)}."
                " Run `./manage.py migrate` as the owner of the tables."
            ) from error
    else:
        roles.apply()  # a release may change them without a migration


def _seed(folder: Path) -> list[str]:
    """Add demo data and project it, so that the first page shows it."""
    from payments.traffic import demo
    from readmodels.engine.runner import catch_up
    from readmodels.projections import PROJECTIONS

    password, made = kept_secret(folder / "demo-password")
    # `shared_environment` passes it on to `seed_demo`.
    os.environ["DEMO_PASSWORD"] = password
    if demo.seed(password, reset=made):
        for projection in PROJECTIONS.values():
            catch_up(projection)
    return [f"Password of all users: {password}", *demo.logins()]
