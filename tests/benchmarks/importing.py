"""Rows per second of an import, compared with a COPY of the same events into an equal table."""

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from django.db import connection

from payments.database import cursor
from payments.traffic import importing, lines
from payments.traffic.layout import Layout
from payments.traffic.rows import FIELDS
from tests.benchmarks.harness import Figure, in_turns

_ROWS: Final = 20_000
_CONSTANTS: Final = {"currency": "USD", "method": "credit_card", "client": "Benchmark"}


def run() -> list[Figure]:
    _import(_ROWS)  # makes the events for COPY, and prepares every statement
    medians = in_turns({"import": lambda: _import(_ROWS), "copy": _copy})
    return [
        Figure(
            what=f"import of {_ROWS:,} past payments, against COPY of their events",
            rate=medians["import"],
            baseline=medians["copy"],
            unit="rows/s",
        )
    ]


_files = 0


def _import(rows: int) -> float:
    """Import a new file. Return the rows per second."""
    global _files  # noqa: PLW0603 - each file must differ from all others
    _files += 1
    first = date(2020, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "past.csv"
        with path.open("w") as file:
            file.write("customer_id,date,amount\n")
            for n in range(rows):
                day = first + timedelta(days=n % 900)
                file.write(f"customer-{_files}-{n % 6_000},{day},{n % 9_000 + 1}.17\n")
        layout = Layout.of(lines.header(path), FIELDS, {}, _CONSTANTS)
        began = time.perf_counter()
        report = importing.import_file(path, layout, refuse=_never)
        seconds = time.perf_counter() - began
    assert report.accepted == rows, report
    return rows / seconds


def _copy() -> float:
    """Copy as many rows' events from the log to an equal table. Return the rows per second."""
    with connection.cursor() as plain:
        plain.execute("DROP TABLE IF EXISTS benchmark_copy")
        plain.execute("CREATE TABLE benchmark_copy (LIKE events_event INCLUDING ALL)")
        plain.execute("ALTER TABLE benchmark_copy ALTER position DROP IDENTITY")
    with cursor() as cur, cur.copy(_OUT) as copy:
        stored = b"".join(copy)
    began = time.perf_counter()
    with cursor() as cur, cur.copy("COPY benchmark_copy FROM STDIN") as copy:
        copy.write(stored)
    seconds = time.perf_counter() - began
    with connection.cursor() as plain:
        plain.execute("DROP TABLE benchmark_copy")
    return _ROWS / seconds


_OUT: Final = (
    f"COPY (SELECT * FROM events_event ORDER BY position DESC LIMIT {2 * _ROWS}) TO STDOUT"
)


def _never(line: lines.Line, code: str, reason: str) -> None:
    raise AssertionError((line.number, code, reason))
