"""The question that a backtest asks. Its result is a pure function of the question and the log."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from payments.domain.backtest.labels import MATURE
from payments.domain.backtest.sampling import WHOLE
from payments.domain.list_items import ListName
from payments.domain.risk.policy import RiskPolicy

# Part of every digest. Increase it with every change that can change a result.
ENGINE_VERSION: Final = 2


class Mode(StrEnum):
    """Where the features come from: the decision's own, computed from the log, or whichever exist."""

    RECORDED = "recorded"
    RECONSTRUCTED = "reconstructed"
    AUTO = "auto"  # recorded features where the payment has them, else reconstructed ones


class Question(Struct, frozen=True, kw_only=True):
    """A backtest covers the payments whose first event has a position after `since`, up to `upto`.

    Nothing after `upto` is known to it. `at` is the time of the log at `upto`: labels mature by it. The
    baseline None is what the history records.
    """

    candidate: RiskPolicy
    since: int
    upto: int
    at: datetime
    baseline: RiskPolicy | None = None
    mode: Mode = Mode.RECORDED
    sample_ppm: int = WHOLE
    seed: int = 0
    mature: timedelta = MATURE

    @property
    def policies(self) -> tuple[RiskPolicy, ...]:
        """The candidate, and the baseline if it is a policy."""
        return (self.candidate,) if self.baseline is None else (self.candidate, self.baseline)

    @property
    def lists(self) -> frozenset[ListName]:
        """The names of the lists that the policies use."""
        return frozenset[ListName]().union(*(each.document.lists for each in self.policies))
