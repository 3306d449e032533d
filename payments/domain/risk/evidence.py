"""The numbers of a backtest that is attached to a proposed policy.

They are in the event, so the log seals what the approver was shown. The event also names the digest, with
which `manage.py backtest verify` computes all numbers again.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

# Data of an attached backtest that are older do not count for an approval that needs one.
FRESH: Final = timedelta(days=30)


class Change(Struct, frozen=True, kw_only=True):
    """The payments of one label and currency that the candidate decides otherwise than the baseline.

    `baseline` and `candidate` are pass, review or block. `label` is fraud, good or unknown.
    """

    baseline: str
    candidate: str
    label: str
    currency: str
    payments: int
    minor: int


class Work(Struct, frozen=True, kw_only=True):
    """What one side costs: payments under review, the time of reviewers, reviewers needed at once."""

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
        """Return whether its data are recent enough for an approval at that time."""
        return at - self.known_at < FRESH
