"""Execute statements with server-side binding on Django's own connection, within its transaction.

Django binds parameters on the client, which doubles the server's work for an append. `execute`
prepares a statement once per connection. It uses no psycopg cursor, because a cursor takes as long
as such a statement does on the server. The functions at the end use undocumented parts of psycopg.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.transaction import TransactionManagementError
from msgspec import Struct
from psycopg import abc, errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Connection = psycopg.Connection[tuple[Any, ...]]

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def execute(statement: str, parameters: Mapping[str, object] = _NOTHING) -> list[tuple[Any, ...]]:
    """Execute a prepared statement in one round trip, and return all its rows.

    Use it for constant statements only, because each stays prepared until the connection closes.
    Write parameters as `%(name)s`. PostgreSQL infers their types, and needs a cast where the
    context is ambiguous. Raises Django's database errors, with psycopg's as their cause.
    """
    # Looked up only once, because `django.db.connection` looks it up on each access.
    django = connections[DEFAULT_DB_ALIAS]
    django.close_if_health_check_failed()
    django.ensure_connection()
    django.validate_no_broken_transaction()
    with django.wrap_database_errors:
        native = cast("Connection", django.connection)
        if not native.autocommit and native.pgconn.transaction_status == TransactionStatus.IDLE:
            # The first statement of a transaction needs a BEGIN, which psycopg's cursors send.
            with psycopg.Cursor(native) as cur:
                cur.execute(statement.encode(), parameters)
                return cur.fetchall() if cur.description else []
        return _session(native).execute(_numbered(statement), parameters)


@contextmanager
def cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """Yield a server-side binding cursor, for statements that are rare, streamed or copied.

    Raises Django's database errors, with psycopg's as their cause. The error wrapper also makes Django
    notice a lost connection. An unnoticed one would fail every later request of the thread.
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
    """Yield another connection to the same database, to read from while Django's own one writes."""
    another = connections[DEFAULT_DB_ALIAS].copy()
    parameters = another.get_connection_params()
    for django_only in ("cursor_factory", "context"):
        parameters.pop(django_only, None)
    with another.get_new_connection(parameters | {"autocommit": True}) as separate:
        yield separate


def require_transaction() -> None:
    """Raise TransactionManagementError outside a transaction, where locks are released at once."""
    if not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise TransactionManagementError("This must run inside a transaction.")


def require_no_transaction() -> None:
    """Raise TransactionManagementError inside a transaction, where no step commits on its own.

    Like `atomic(durable=True)`, this ignores the transaction that a test case opens around a test.
    """
    blocks: list[Any] = connections[DEFAULT_DB_ALIAS].atomic_blocks
    if any(not block._from_testcase for block in blocks):  # noqa: SLF001 - as durable=True does
        raise TransactionManagementError("This must not run inside a transaction.")


class _Statement(Struct, frozen=True):
    """A statement with numbered placeholders for PostgreSQL. `parameters` names them in order."""

    text: bytes
    parameters: tuple[str, ...]
    formats: list[PyFormat]


@cache
def _numbered(statement: str) -> _Statement:
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    text = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    text = text.replace("%%", "%")
    # The text format leaves the type to PostgreSQL, so the prepared statement accepts every value.
    # psycopg's binary format would encode an integer as smallint, integer or bigint, by its size.
    return _Statement(text.encode(), names, [PyFormat.TEXT] * len(names))


class _Session:
    """The prepared statements of a connection, and the adapter for its values."""

    def __init__(self, native: Connection) -> None:
        self.connection = native
        self._adapter = Transformer(native)
        self._names: dict[bytes, bytes] = {}  # the name of each prepared statement, by text
        self._replans = 0

    def execute(
        self, statement: _Statement, parameters: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        pgconn = self.connection.pgconn
        name = self._names.get(statement.text)
        is_prepared = name is not None
        if name is None:
            name = self._prepare(statement)
        values = [parameters[parameter] for parameter in statement.parameters]
        pgconn.send_query_prepared(name, _dump(self._adapter, values, statement.formats))
        try:
            result = _receive(self.connection)
        except (errors.FeatureNotSupported, errors.InvalidSqlStatementName):
            # A migration changed the type of a column, or all statements were deallocated. Nothing was
            # executed, so outside a transaction the statement can be prepared and executed again.
            del self._names[statement.text]
            self._replans += 1
            if is_prepared and pgconn.transaction_status == TransactionStatus.IDLE:
                return self.execute(statement, parameters)
            raise
        return _load_rows(self._adapter, result)

    def _prepare(self, statement: _Statement) -> bytes:
        """Prepare the statement under a name derived from its text.

        A pooler without support for prepared statements may use another connection for the next
        transaction. If names were numbered, the same name could run another statement there.
        """
        text = sha256(statement.text).hexdigest()[:32]
        name = f"execute_{text}_{self._replans}".encode()
        self.connection.pgconn.send_prepare(name, statement.text)
        try:
            _receive(self.connection)
        except errors.DuplicatePreparedStatement:
            # An interrupted attempt, or another client of the pooler, has prepared the same text.
            self._names[statement.text] = name
            if self.connection.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
        self._names[statement.text] = name
        return name


_SESSION: Final = "_payments_session"


def _session(native: Connection) -> _Session:
    """Return the session stored on this connection. One thread can have several connections."""
    session: _Session | None = getattr(native, _SESSION, None)
    if session is None:
        session = _Session(native)
        setattr(native, _SESSION, session)
    return session


# The undocumented parts of psycopg. test_psycopg_internals.py checks each of them.


def _dump(
    adapter: abc.Transformer, values: Sequence[object], formats: Sequence[PyFormat]
) -> Sequence[abc.Buffer | None]:
    """Return the values in PostgreSQL's format."""
    return adapter.dump_sequence(values, formats)


def _receive(native: Connection) -> PGresult:
    """Wait for the last statement's result. Signals can interrupt this, as in psycopg's cursors.

    Raises psycopg.Error.
    """
    result: PGresult
    *_, result = native.wait(generators.execute(native.pgconn))
    if result.status == ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(result, encoding=native.info.encoding)
    return result


def _load_rows(adapter: abc.Transformer, result: PGresult) -> list[tuple[Any, ...]]:
    """Return the rows of the result as Python values."""
    adapter.set_pgresult(result)
    return adapter.load_rows(0, result.ntuples, tuple)
