"""Server-side bound statements on Django's own connection, within its transaction.

Django binds parameters on the client, which doubles the server's work for an append. `execute` prepares
a statement once on each connection, and executes it with what psycopg's cursors are made of but
without one: a cursor costs as much as such a statement does on the server.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.transaction import TransactionManagementError
from msgspec import Struct
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Connection = psycopg.Connection[tuple[Any, ...]]

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def execute(statement: str, parameters: Mapping[str, object] = _NOTHING) -> list[tuple[Any, ...]]:
    """Execute a prepared statement in one round trip, and return all its rows.

    For statements that stand in the code: what is prepared once is kept. Parameters are written
    `%(name)s`, and PostgreSQL finds their types: it needs a cast where the context does not tell.
    Errors come out as Django's, with psycopg's as their cause.
    """
    django = connections[DEFAULT_DB_ALIAS]  # once: `connection` looks for it each time
    django.close_if_health_check_failed()
    django.ensure_connection()
    django.validate_no_broken_transaction()
    with django.wrap_database_errors:
        native = cast("Connection", django.connection)
        if not native.autocommit and native.pgconn.transaction_status == TransactionStatus.IDLE:
            # The first one of a transaction, which cursors begin.
            with psycopg.Cursor(native) as cur:
                cur.execute(statement.encode(), parameters)
                return cur.fetchall() if cur.description else []
        return _session(native).execute(_numbered(statement), parameters)


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A server-side binding cursor, for what is seldom executed, streamed or copied.

    Errors come out as Django's, with psycopg's as their cause. The wrapper is also what tells Django
    that a connection was lost: without it one dropped connection would fail every later request of
    the thread.
    """
    django = connections[DEFAULT_DB_ALIAS]
    django.close_if_health_check_failed()
    django.ensure_connection()
    with (
        django.wrap_database_errors,
        psycopg.Cursor(cast("Connection", django.connection)) as cur,
    ):
        yield cur


@contextmanager
def separate_connection() -> Iterator[Connection]:
    """Another connection to the same database, for reading while Django's own writes."""
    another = connections[DEFAULT_DB_ALIAS].copy()
    parameters = another.get_connection_params()
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    with another.get_new_connection(parameters | {"autocommit": True}) as separate:
        yield separate


def require_transaction() -> None:
    """Raise TransactionManagementError outside a transaction: the caller's locks would not hold."""
    if not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise TransactionManagementError("This must run inside a transaction.")


def require_no_transaction() -> None:
    """Raise TransactionManagementError inside a transaction: the caller commits step by step.

    As for `atomic(durable=True)`, the transaction that a test case wraps around a test does not count.
    """
    blocks: list[Any] = connections[DEFAULT_DB_ALIAS].atomic_blocks
    if any(not block._from_testcase for block in blocks):  # noqa: SLF001 - as durable=True does
        raise TransactionManagementError("This must not run inside a transaction.")


class _Statement(Struct, frozen=True):
    """As PostgreSQL reads it: `text` with its parameters numbered in the order of `parameters`."""

    text: bytes
    parameters: tuple[str, ...]
    formats: list[PyFormat]


@cache
def _numbered(statement: str) -> _Statement:
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    text = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    text = text.replace("%%", "%")
    # As text whose type is left open. A statement is prepared for all values: psycopg would call a
    # small integer a smallint, and the next one might not be small.
    return _Statement(text.encode(), names, [PyFormat.TEXT] * len(names))


class _Session:
    """What is prepared on a connection, and what makes PostgreSQL's values of Python's and back."""

    def __init__(self, native: Connection) -> None:
        self.connection = native
        self._adapter = Transformer(native)
        self._names: dict[bytes, bytes] = {}  # of what is prepared, by its text
        self._replans = 0

    def execute(
        self, statement: _Statement, parameters: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        pgconn = self.connection.pgconn
        name = self._names.get(statement.text)
        known = name is not None
        if name is None:
            name = self._prepare(statement)
        values = [parameters[parameter] for parameter in statement.parameters]
        pgconn.send_query_prepared(name, self._adapter.dump_sequence(values, statement.formats))
        try:
            result = self._result()
        except (errors.FeatureNotSupported, errors.InvalidSqlStatementName):
            # A migration has changed the type of a column, or something has deallocated all statements.
            # Nothing was executed: prepared anew it is, where no transaction has failed with it.
            del self._names[statement.text]
            self._replans += 1
            if known and pgconn.transaction_status == TransactionStatus.IDLE:
                return self.execute(statement, parameters)
            raise
        self._adapter.set_pgresult(result)
        return self._adapter.load_rows(0, result.ntuples, tuple)

    def _prepare(self, statement: _Statement) -> bytes:
        """Prepare the statement under a name made of its text.

        A pooler that knows no prepared statements may use another connection for the next transaction.
        There a number could name another statement, which would run with these parameters.
        """
        text = sha256(statement.text).hexdigest()[:32]
        name = f"execute_{text}_{self._replans}".encode()
        self.connection.pgconn.send_prepare(name, statement.text)
        try:
            self._result()
        except errors.DuplicatePreparedStatement:
            # An interrupted attempt, or another client of the pooler, has prepared the same text.
            self._names[statement.text] = name
            if self.connection.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
        self._names[statement.text] = name
        return name

    def _result(self) -> PGresult:
        """Wait for the answer, as a cursor does: so that signals are heard meanwhile."""
        result: PGresult
        *_, result = self.connection.wait(generators.execute(self.connection.pgconn))
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result, encoding=self.connection.info.encoding)
        return result


_SESSION: Final = "_payments_session"


def _session(native: Connection) -> _Session:
    """Kept with the connection: a thread can have two, beside an event loop Django opens another."""
    session: _Session | None = getattr(native, _SESSION, None)
    if session is None:
        session = _Session(native)
        setattr(native, _SESSION, session)
    return session
