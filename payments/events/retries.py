"""Retries after a conflict with another command: how many attempts, and the pauses between them."""

import random
import time
from typing import Final

from msgspec import Struct


class Retries(Struct, frozen=True):
    """The number of attempts, and random pauses of at most `step` seconds, twice that, and so on.

    No pause follows the first `at_once` failures.
    """

    attempts: int
    step: float
    at_once: int = 0

    def pause(self, attempt: int) -> None:
        """Pause after the failure of an attempt, counted from 1."""
        if attempt > self.at_once:
            time.sleep(random.uniform(0, self.step * (attempt - self.at_once)))  # noqa: S311 - no secret


# `replay.execute` decides again. A stale version means that another command succeeded, so a few attempts are
# usually enough. Later attempts pause for a random time, or many rivals would collide again and again. The
# longest pause grows, because it has to make room for all rivals on a machine of any speed.
STALE_VERSION: Final = Retries(attempts=20, step=0.02, at_once=3)

# `store.append` repeats its statement: nothing was stored, and a retry ends the conflict. Without a pause,
# the two rivals could deadlock again.
DEADLOCK: Final = Retries(attempts=5, step=0.05)
