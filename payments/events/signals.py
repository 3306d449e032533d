"""The signal by which other apps learn of new events."""

from typing import Final

from django.dispatch import Signal

# Sent after commit with `position`, the last position appended. Receivers must not block.
appended: Final = Signal()
