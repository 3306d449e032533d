"""Prepared, server-side bound statements on Django's own connection.

Django binds parameters on the client, which doubles the server's work for an append. These cursors
share its connection, so they see its transaction, but let PostgreSQL bind and keep the plan.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A server-side binding cursor. Errors come out as Django's, with psycopg's as their cause.

    The wrapper is what tells Django that a connection was lost: without it one dropped connection
    would fail every later request of the thread.
    """
    django = connections[
        DEFAULT_DB_ALIAS
    ]  # once: the proxy that `connection` is looks for it each time
    django.ensure_connection()
    with (
        django.wrap_database_errors,
        psycopg.Cursor(cast("psycopg.Connection[tuple[Any, ...]]", django.connection)) as cur,
    ):
        yield cur


@contextmanager
def separate_connection() -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Another connection to the same database, for reading while Django's own writes."""
    parameters = connection.get_connection_params()
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    with psycopg.connect(**parameters, autocommit=True) as separate:
        yield separate
