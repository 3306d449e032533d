"""The numbers of a backtest that is attached to a proposed policy.

They are in the event, so the log seals what the approver was shown. The event also has the digest
of the result. `manage.py backtest verify` computes all numbers again and compares their digest with
it.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

# If an approval needs a backtest, the data of the attached one must not be older.
FRESH: Final = timedelta(days=30)


class Change(Struct, frozen=True, kw_only=True):
    """The number and sum of payments that both sides decide differently, by label and currency.

    `baseline` and `candidate` are the decisions: pass, review or block. `label` is fraud, good or
    unknown.
    """

    baseline: str
    candidate: str
    label: str
    currency: str
    payments: int
    minor: int


class Work(Struct, frozen=True, kw_only=True):
    """What one side costs: payments to review, minutes of work, and reviewers needed at once."""

    payments: int
    minutes: int
    reviewers: int


class AttachedBacktest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finished backtest of `policy_id` over the log from `since` up to `upto`.

    `known_at` is the time of the log at `upto`. `baseline` is the id of a policy, or None for what the
    history records. `verdict` and `limits` are the sentences that state the result.
    """

    backtest_id: UUID
    policy_id: str
    digest: str
    since: int
    upto: int
    known_at: datetime
    mode: str
    sample_ppm: int
    evaluated: int
    flips: int
    known_ppm: int
    changes: tuple[Change, ...]
    before: Work
    after: Work
    drift: int
    not_evaluable: int
    verdict: str
    limits: tuple[str, ...]
    baseline: str | None = None

    def is_fresh(self, at: datetime) -> bool:
        """Return whether the data are recent enough for an approval at that time."""
        return at - self.known_at < FRESH
