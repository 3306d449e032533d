"""Connections that are checked before each statement and replaced if the server has ended them."""

from types import TracebackType
from typing import Any, Final

import psycopg
from django.db import utils
from django.db.backends.postgresql import base
from django.utils.functional import cached_property
from psycopg.pq import ConnStatus, TransactionStatus

from config.postgresql import session

_ENDING: Final = ("FATAL", "PANIC")
# These errors mean that the server is a standby or read-only. A new connection may reach another
# server, or get changed defaults.
_OTHER_SERVER_NEEDED: Final = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.ObjectNotInPrerequisiteState,
)


class _DatabaseErrorWrapper(utils.DatabaseErrorWrapper):
    wrapper: "DatabaseWrapper"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, _OTHER_SERVER_NEEDED):
            self.wrapper.is_abandoned = True
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A thread's connection. It never repeats a statement that may have reached the server."""

    is_abandoned = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        self.is_abandoned = False
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection = session.connect(conn_params)
        connection.isolation_level = self.isolation_level
        connection.add_notice_handler(self._on_notice)
        return connection

    def close_if_health_check_failed(self) -> None:
        """Close an unusable connection, outside a transaction.

        Django calls this before each statement and each transaction. It costs two microseconds and no round
        trip: it only reads what the server has already sent, such as an error or the end of the stream.
        """
        if self.connection is None or self.in_atomic_block:
            return
        if not self.is_usable():
            self.close()

    def is_usable(self) -> bool:
        """Return whether the connection is open, according to the messages received from the server."""
        if self.is_abandoned:
            return False
        pgconn = self.connection.pgconn
        if pgconn.status != ConnStatus.OK:
            return False
        if pgconn.transaction_status != TransactionStatus.IDLE:
            return True
        try:
            pgconn.consume_input()
            pgconn.is_busy()  # makes libpq parse the input
        except psycopg.OperationalError:
            return False
        is_open: bool = pgconn.status == ConnStatus.OK
        return is_open and not self.is_abandoned

    @cached_property
    def wrap_database_errors(self) -> utils.DatabaseErrorWrapper:
        return _DatabaseErrorWrapper(self)

    def _on_notice(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized in _ENDING:
            self.is_abandoned = True
