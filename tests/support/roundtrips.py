"""Exact counts of database round trips, from libpq's trace of the protocol."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg.pq import Trace


class RoundTrips:
    count = -1  # set at the end of the block


@contextmanager
def round_trips() -> Iterator[RoundTrips]:
    """Count how often the server reports that it is ready for the next request.

    The first run of a statement on the connection takes one more round trip, which prepares it.
    """
    connection.ensure_connection()
    counted = RoundTrips()
    with tempfile.TemporaryFile("w+") as trace:
        pgconn = connection.connection.pgconn
        pgconn.trace(trace.fileno())
        pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        try:
            yield counted
        finally:
            pgconn.untrace()
        trace.seek(0)
        counted.count = sum(line.startswith("B\t") and "ReadyForQuery" in line for line in trace)
