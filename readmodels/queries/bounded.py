"""Queries that people ask for by filters of their own choice, and that must not take for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import errors

_SECONDS: Final = 3


class TooBroad(Exception):
    """The query took too long: a narrower filter would find an index."""

    def __init__(self) -> None:
        super().__init__(
            f"This took longer than {_SECONDS} seconds. Narrow it, by dates for example."
        )


@contextmanager
def bounded() -> Iterator[None]:
    """Give up after three seconds. Raises TooBroad."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {_SECONDS * 1000}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooBroad from error
        raise
