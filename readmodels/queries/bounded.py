"""A time limit for queries with filters that users choose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import errors

_SECONDS: Final = 3


class TooBroad(Exception):
    """The query exceeded the time limit. A narrower filter would use an index."""

    def __init__(self) -> None:
        super().__init__(
            f"The query took longer than {_SECONDS} seconds. Use a narrower filter, such as a date range."
        )


@contextmanager
def bounded() -> Iterator[None]:
    """Cancel each statement inside after three seconds. Raises TooBroad."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {_SECONDS * 1000}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooBroad from error
        raise
