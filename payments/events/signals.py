"""The one way back from the write side to the read side."""

from typing import Final

from django.db import transaction
from django.dispatch import Signal

# Sent after commit with `position`, the last position appended. Receivers must not block.
appended: Final = Signal()


def announce(position: int) -> None:
    """Send `appended`: at once in autocommit, after commit inside a transaction.

    The events are stored already, so errors of receivers are only logged.
    """
    transaction.on_commit(lambda: appended.send_robust(None, position=position), robust=True)
