"""The one way back from the write side to the read side."""

from typing import Final

from django.dispatch import Signal

# Sent after commit with `position`, the last position appended. Receivers must not block.
appended: Final = Signal()
