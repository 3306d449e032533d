"""Read the rows of a list from one snapshot of the database, in constant memory.

The snapshot is a REPEATABLE READ transaction on a connection of its own, because Django's
connection may serve other requests before a streamed answer ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from psycopg import errors

from payments import actors
from payments.database import separate_connection

AT_ONCE: Final = 2_000
_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# All rows are read, so the planner must not favor the first ones. Sorting all rows costs less than
# reading all at random.
_WHOLE: Final = "SET LOCAL cursor_tuple_fraction = 1.0"
_POSITION: Final = "SELECT coalesce(min(position), 0) FROM readmodels_checkpoint"
_STAFF: Final = """
SELECT id, coalesce(nullif(trim(first_name || ' ' || last_name), ''), username) FROM auth_user
"""
_CLIENTS: Final = "SELECT id, name FROM clients_client"
_CUSTOMERS: Final = """
SELECT id, name, reference, email, phone FROM customers_customer WHERE id = ANY(%s)
"""
_EVENTS: Final = "SELECT position, data FROM events_event WHERE position = ANY(%s)"

Row = tuple[Any, ...]


class Snapshot:
    """A state of the database. All read models had reached the log position `position`."""

    def __init__(self, session: psycopg.Connection[Row]) -> None:
        self._session = session
        ((self.position,),) = session.execute(_POSITION).fetchall()
        self._people: dict[str, str] = {
            **{actors.staff(pk): name for pk, name in session.execute(_STAFF)},
            **{actors.client(pk): name for pk, name in session.execute(_CLIENTS)},
        }

    def person(self, actor: str) -> str:
        """Return the name of an actor, or the id if there is none."""
        return self._people.get(actor, actor)

    def client(self, client_id: UUID | None) -> str:
        return "" if client_id is None else self.person(actors.client(client_id))

    def customers(self, ids: Iterable[UUID]) -> dict[UUID, Row]:
        """Return name, reference, e-mail and telephone of the customers, by id."""
        found = self._session.execute(_CUSTOMERS, (list(set(ids)),)).fetchall()
        return {pk: tuple(rest) for pk, *rest in found}

    def event_data(self, positions: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return the data of events, by position."""
        return dict(self._session.execute(_EVENTS, (list(positions),)).fetchall())

    def chunks(self, rows: "QuerySet[Any, Any]") -> Iterator[list[Row]]:
        """Yield the rows of a query by `values_list`, a few thousand at a time."""
        try:
            statement, parameters = rows.query.sql_with_params()
        except EmptyResultSet:  # Django sees that no row can match
            return
        with psycopg.ClientCursor(self._session) as cur:
            cur.execute(f"DECLARE rows NO SCROLL CURSOR FOR {statement}", parameters)
            while found := cur.execute(f"FETCH {AT_ONCE} FROM rows").fetchall():
                yield found
            cur.execute("CLOSE rows")


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """Yield a snapshot of the database as it is now. Raises Django's database errors."""
    with connection.wrap_database_errors, separate_connection() as session:
        session.execute(_BEGIN)
        session.execute(_WHOLE)
        yield Snapshot(session)


def has_more_than(rows: "QuerySet[Any, Any]", most: int) -> bool:
    """Return whether the query has more than `most` rows, or takes more than a second to count."""
    try:
        counted = rows.order_by().values_list("pk")[: most + 1].query
        statement, parameters = counted.sql_with_params()
    except EmptyResultSet:
        return False
    with (
        connection.wrap_database_errors,
        separate_connection() as session,
        psycopg.ClientCursor(session) as cur,
    ):
        cur.execute("SET statement_timeout = 1000")
        try:
            cur.execute(f"SELECT count(*) FROM ({statement}) AS found", parameters)  # noqa: S608
        except errors.QueryCanceled:
            return True
        (found,) = cur.fetchone() or (0,)
    return bool(found > most)
