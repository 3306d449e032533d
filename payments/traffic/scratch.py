"""Store what a dispute import has to remember in a temporary file, to keep memory constant."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from typing import Final, Self
from uuid import UUID

import msgspec

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.state import Payment
from payments.traffic.imports import BATCH
from payments.traffic.lines import Line

# SQLite keeps a database without a name in memory, and moves it to a temporary file when it grows.
_UNNAMED: Final = ""
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -32000;
CREATE TABLE payment (id BLOB PRIMARY KEY, state TEXT) WITHOUT ROWID;
CREATE TABLE postponed (number INTEGER PRIMARY KEY, content BLOB, code TEXT, reason TEXT);
"""


class Scratch:
    """The payments that a dry run has changed, and the lines that an import will try again."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(_UNNAMED)
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def payments(self, payment_ids: Collection[UUID]) -> dict[UUID, Payment]:
        """Return the payments with these ids that were kept."""
        marks = ",".join("?" * len(payment_ids))
        kept = self._database.execute(
            f"SELECT id, state FROM payment WHERE id IN ({marks})",  # noqa: S608 - marks only
            [payment_id.bytes for payment_id in payment_ids],
        )
        return {UUID(bytes=key): PAYMENT_AGGREGATE.decode_state(state) for key, state in kept}

    def keep(self, payments: Mapping[UUID, Payment]) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO payment VALUES (?, ?)",
            (
                (payment_id.bytes, msgspec.json.encode(payment).decode())
                for payment_id, payment in payments.items()
            ),
        )

    def postpone(self, line: Line, code: str, reason: str) -> None:
        """Keep the line with its latest refusal."""
        self._database.execute(
            "INSERT OR REPLACE INTO postponed VALUES (?, ?, ?, ?)",
            [line.number, line.content, code, reason],
        )

    def drop(self, line: Line) -> None:
        self._database.execute("DELETE FROM postponed WHERE number = ?", [line.number])

    def postponed(self) -> Iterator[list[tuple[Line, str, str]]]:
        """Yield the lines with their refusals in batches. Lines may be dropped between batches."""
        last = 0
        while found := self._database.execute(
            "SELECT * FROM postponed WHERE number > ? ORDER BY number LIMIT ?", [last, BATCH]
        ).fetchall():
            last = found[-1][0]
            yield [
                (Line(number, content, 0, 0), code, reason)
                for number, content, code, reason in found
            ]
