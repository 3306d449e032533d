"""The question and the result of a stored backtest, and how the question is divided into parts."""

from collections.abc import Iterator, Mapping

import msgspec

from payments.aggregates import POLICY_AGGREGATE
from payments.domain.backtest.question import Mode, Question
from payments.domain.backtest.result import Result
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, RiskPolicy
from payments.domain.risk.register import REGISTER, PolicyProposed
from payments.events.reading.horizon import read_stream
from readmodels.backtests.models import Backtest, BacktestPart, Phase

# Log positions per part, which takes about a second. A slice has the facts of about as many
# positions.
PART = 40_000


def question_of(backtest: Backtest) -> Question:
    baseline = None if backtest.baseline is None else _policy(backtest.baseline)
    return Question(
        candidate=_policy(backtest.candidate),
        since=backtest.since,
        upto=backtest.upto,
        at=backtest.known_at,
        baseline=baseline,
        mode=Mode(backtest.mode),
        sample_ppm=backtest.sample_ppm,
        seed=backtest.seed,
        mature=backtest.mature,
    )


def stored(question: Question) -> Mapping[str, object]:
    """Return the columns of a backtest that asks the question."""
    baseline = question.baseline
    return {
        "candidate_id": question.candidate.policy_id,
        "candidate": msgspec.to_builtins(question.candidate.document),
        "baseline_id": "" if baseline is None else baseline.policy_id,
        "baseline": None if baseline is None else msgspec.to_builtins(baseline.document),
        "since": question.since,
        "upto": question.upto,
        "known_at": question.at,
        "mode": question.mode.value,
        "sample_ppm": question.sample_ppm,
        "seed": question.seed,
        "mature": question.mature,
    }


def stored_result(backtest: Backtest) -> Result:
    """Return the result of a backtest that is done."""
    return msgspec.convert(backtest.result, Result, str_keys=True)


def slices(backtest: Backtest) -> int:
    """Return the number of slices of customers, or 0 if no history is needed."""
    return backtest.parts.filter(phase=Phase.FOLD).count()


def parts(backtest: Backtest, question: Question) -> Iterator[BacktestPart]:
    """Yield the parts of a backtest.

    If histories are needed, reading starts at the beginning of the log, even for a later range.
    """
    recorded = question.mode is Mode.RECORDED
    begins = range(question.since if recorded else 0, question.upto, PART)
    for number, after in enumerate(begins):
        last = min(after + PART, question.upto)
        yield _part(backtest, number, Phase.READ, after + 1, last)
    for each in range(0 if recorded else len(begins)):
        yield _part(backtest, len(begins) + each, Phase.FOLD, each, each)


def policies_at(position: int) -> dict[str, RiskPolicy]:
    """Return all policies that the log holds at a position, by id. Raises UnreadableEvent."""
    proposed = read_stream(POLICY_AGGREGATE, REGISTER, after=0, upto=position)
    policies = {
        each.event.policy_id: RiskPolicy(each.event.policy_id, each.event.document)
        for each in proposed
        if isinstance(each.event, PolicyProposed)
    }
    return {DEFAULT_POLICY.policy_id: DEFAULT_POLICY, **policies}


def _policy(document: object) -> RiskPolicy:
    return RiskPolicy.of(msgspec.convert(document, PolicyDocument))


def _part(backtest: Backtest, number: int, phase: Phase, first: int, last: int) -> BacktestPart:
    return BacktestPart(backtest=backtest, number=number, phase=phase, first=first, last=last)
