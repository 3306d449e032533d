"""The signal that announces new events to other apps."""

from typing import Final

from django.dispatch import Signal

# Sent after commit with `position`, the last position appended. Receivers must not block.
appended: Final = Signal()
