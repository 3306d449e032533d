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
    """Use recorded features, reconstruct them from the log, or do so only where none are recorded."""

    RECORDED = "recorded"
    RECONSTRUCTED = "reconstructed"
    AUTO = "auto"  # recorded features where the payment has them, else reconstructed ones


class Question(Struct, frozen=True, kw_only=True):
    """A backtest covers the payments whose first event has a position after `since`, up to `upto`.

    Events after `upto` are ignored. `at` is the time of the log at `upto`, at which payments are
    mature or not. If `baseline` is None, the candidate is compared with the recorded history.
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
