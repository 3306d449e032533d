"""When to try again, and when to give up, in the steps of Standard Webhooks. Pure functions and constants."""

from datetime import datetime, timedelta
from typing import Final

# The waiting times after the first failure, after the second, and so on. The last one repeats.
STEPS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_JITTER: Final = 0.2
_LONGEST_ASKED: Final = timedelta(hours=1)
# An endpoint that fails for this long is disabled. A rejected event is dropped after the sum of all
# steps.
DISABLE_AFTER: Final = timedelta(days=5)
DROP_AFTER: Final = sum(STEPS, timedelta())


def next_attempt(
    failures: int, at: datetime, *, chance: float, asked: timedelta | None = None
) -> datetime:
    """Return when to try again after `failures` in a row, at least one.

    `chance` from 0 to 1 spreads the step by a fifth to either side. `asked` is the answer's
    Retry-After, which is limited to an hour.
    """
    step = STEPS[min(failures, len(STEPS)) - 1] * (1 + _JITTER * (2 * chance - 1))
    return at + max(step, min(asked or timedelta(), _LONGEST_ASKED))
