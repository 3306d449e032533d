"""The undocumented parts of psycopg that payments/database.py uses.

If a test fails with a new psycopg, change the function of the same name at the end of
payments/database.py. Only then raise psycopg's upper bound in pyproject.toml.
Each docstring says what would break in production.
"""

import inspect
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

from payments import database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def native() -> psycopg.Connection[Any]:
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def test_dump_returns_text_and_none_for_null(native: psycopg.Connection[Any]) -> None:
    """Otherwise every statement with parameters fails, or binds NULL as text."""
    dumped = database._dump(Transformer(native), [7, "é", None], [PyFormat.TEXT] * 3)

    assert [None if value is None else bytes(value) for value in dumped] == [
        b"7",
        "é".encode(),
        None,
    ]


def test_receive_returns_the_last_result(native: psycopg.Connection[Any]) -> None:
    """Otherwise rows are lost, or a connection stays busy and fails the next statement."""
    native.pgconn.send_query_params(b"SELECT 1 UNION ALL SELECT 2", None)

    result = database._receive(native)

    assert (result.status, result.ntuples) == (ExecStatus.TUPLES_OK, 2)
    assert database.execute("SELECT 3") == [(3,)]


def test_receive_raises_the_exception_of_the_sqlstate(native: psycopg.Connection[Any]) -> None:
    """Otherwise no conflict is recognized: StaleVersion becomes an internal error."""
    native.pgconn.send_query_params(b"SELECT 1 / 0", None)

    with pytest.raises(errors.DivisionByZero) as caught:
        database._receive(native)

    assert caught.value.sqlstate == "22012"
    assert caught.value.diag.message_primary == "division by zero"


def test_load_rows_returns_python_values(native: psycopg.Connection[Any]) -> None:
    """Otherwise positions are text, and comparing them fails."""
    native.pgconn.send_query_params(b"SELECT 1::bigint, 'a', NULL", None)

    rows = database._load_rows(Transformer(native), database._receive(native))

    assert rows == [(1, "a", None)]


def test_waiting_takes_a_generator_of_the_protocol(native: psycopg.Connection[Any]) -> None:
    """Otherwise `_receive` cannot wait as cursors do, and ignores Ctrl-C until the answer."""
    assert next(iter(inspect.signature(native.wait).parameters)) == "gen"
    assert list(inspect.signature(generators.execute).parameters) == ["pgconn"]
