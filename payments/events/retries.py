"""Retries after a conflict with another command: how many attempts, and the pauses between them."""

import random
import time
from typing import Final

from msgspec import Struct


class Retries(Struct, frozen=True):
    """The number of attempts, and the length of the pauses between them.

    The first `at_once` failures are followed by no pause. Later pauses are random. The first is at
    most `step` seconds long, the second at most twice that, and so on.
    """

    attempts: int
    step: float
    at_once: int = 0

    def pause(self, attempt: int) -> None:
        """Pause after the failure of an attempt, counted from 1."""
        if attempt > self.at_once:
            time.sleep(random.uniform(0, self.step * (attempt - self.at_once)))  # noqa: S311 - no secret


# For `replay.execute`, which decides again. A stale version means that another command succeeded,
# so a few attempts are usually enough. Random pauses keep many rivals from colliding again and
# again. They grow until all rivals have enough time, even on a slow machine.
STALE_VERSION: Final = Retries(attempts=20, step=0.02, at_once=3)

# For `store.append`, which repeats its statement after a deadlock, when nothing was stored. Without
# a pause, the two rivals could deadlock again.
DEADLOCK: Final = Retries(attempts=5, step=0.05)
