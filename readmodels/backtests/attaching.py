"""Attach the result of a backtest to the proposal of its policy."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from payments.application import policies
from payments.domain.backtest import verdict
from payments.domain.backtest.labels import Kind
from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.result import Result, Workload
from payments.domain.risk.evidence import AttachedBacktest, Change, Work
from payments.domain.risk.register import AttachBacktest, Register
from readmodels.backtests.models import Backtest, State
from readmodels.backtests.questions import stored_result


class NotFinished(Exception):
    """The backtest has no result, so there is nothing to attach."""

    def __init__(self, backtest: Backtest) -> None:
        state = backtest.get_state_display().lower()
        super().__init__(
            f"The backtest {backtest.pk} is {state}. Only a finished one has a result."
        )
        self.state = backtest.state


def attach(
    backtest: Backtest,
    *,
    by: str,
    at: datetime,
    causation_id: str | None = None,
    correlation_id: str | None = None,
) -> Register:
    """Attach the backtest to the proposal of its candidate, and return the register after it.

    Raises NotFinished, NotPermitted, PolicyRefused, StaleVersion.
    """
    evidence = evidence_of(backtest)
    command = AttachBacktest(policy_id=backtest.candidate_id, backtest=evidence, at=at, by=by)
    return policies.handle(command, causation_id=causation_id, correlation_id=correlation_id)


def evidence_of(backtest: Backtest) -> AttachedBacktest:
    """Return the numbers that the approver sees. Raises NotFinished."""
    if backtest.state != State.DONE:
        raise NotFinished(backtest)
    result = stored_result(backtest)
    return AttachedBacktest(
        backtest_id=backtest.pk,
        policy_id=backtest.candidate_id,
        digest=backtest.digest,
        baseline=backtest.baseline_id or None,
        since=backtest.since,
        upto=backtest.upto,
        known_at=backtest.known_at,
        mode=backtest.mode,
        sample_ppm=backtest.sample_ppm,
        evaluated=result.evaluated,
        flips=result.flips,
        known_ppm=result.known_ppm,
        changes=tuple(_changes(result)),
        before=_work(result.baseline),
        after=_work(result.candidate),
        drift=result.drift,
        not_evaluable=result.not_evaluable_payments,
        verdict=verdict.verdict(result),
        limits=verdict.limits(result),
    )


def _changes(result: Result) -> Iterator[Change]:
    payments: Counter[tuple[str, Outcome, Outcome, Kind]] = Counter()
    minor: Counter[tuple[str, Outcome, Outcome, Kind]] = Counter()
    for cell in result.matrix:
        if cell.is_flip:
            key = (cell.currency, cell.baseline, cell.candidate, cell.label.kind)
            payments[key] += cell.payments
            minor[key] += cell.minor
    for key in sorted(payments):
        currency, baseline, candidate, kind = key
        yield Change(
            baseline=baseline.value,
            candidate=candidate.value,
            label=kind.value,
            currency=currency,
            payments=payments[key],
            minor=minor[key],
        )


def _work(side: Workload) -> Work:
    return Work(payments=side.payments, minutes=side.minutes, reviewers=side.reviewers)
