"""Evaluate cases by the policies of a question, and count them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from payments.domain.backtest import sampling
from payments.domain.backtest.cases import Case
from payments.domain.backtest.evaluable import Fact, missing_facts, needed_facts
from payments.domain.backtest.labels import Label, label
from payments.domain.backtest.outcomes import LeftOut, Outcome, outcome_of, recorded_outcome
from payments.domain.backtest.question import Mode, Question
from payments.domain.backtest.tally import UNSCORED, Drift, Example, Reviews, Tally
from payments.domain.list_items import Item, ListName
from payments.domain.payment.state import Payment
from payments.domain.risk.assessment import Decision, RiskAssessment, decision_of, fired_rules
from payments.domain.risk.conditions import RiskFeatures
from payments.domain.risk.policy import NO_LIMIT, RiskPolicy, Rule, Verdict


class Judged(NamedTuple):
    """The rules of a policy that fired, and its decision."""

    fired: list[Rule]
    decision: Decision


class Side(NamedTuple):
    """What the baseline or the candidate decides."""

    outcome: Outcome
    four_eyes: bool
    band: str  # UNSCORED if the history did not score the payment


class Evaluation:
    """Evaluates the cases of one part of a question, and counts them in `tally`.

    `policies` are the policies of the log by id. Each decision is repeated by its own policy, to
    find drift. If `policies` is None, no decision is repeated. `lists` has the types of those of
    the question's lists that exist. It matters only for payments that were not scored when they
    were made.
    """

    def __init__(
        self,
        question: Question,
        policies: Mapping[str, RiskPolicy] | None,
        lists: Mapping[ListName, Item] = MappingProxyType({}),
    ) -> None:
        self.tally = Tally()
        self.lists = lists
        self._question = question
        self._policies = policies
        self._limit = sampling.limit(question.sample_ppm)
        self._facts = frozenset[Fact]().union(
            *(needed_facts(policy, lists) for policy in question.policies)
        )

    def samples(self, payment_id: UUID) -> bool:
        """Return whether the payment belongs to the sample. If not, its events need not be read."""
        return (
            self._limit == sampling.RANKS
            or sampling.rank(self._question.seed, payment_id) < self._limit
        )

    def skip(self, payments: int = 1) -> None:
        """Count payments of the range that do not belong to the sample."""
        self.tally.not_sampled += payments

    def add(self, case: Case) -> None:
        """Evaluate and count a payment of the range, or skip it if it is not in the sample."""
        payment, tally = case.payment, self.tally
        if not self.samples(payment.payment_id):
            self.skip()
            return
        for ms in case.worked_ms:
            tally.worked.decisions += 1
            tally.worked.ms += ms
        history = recorded_outcome(payment)
        if isinstance(history, LeftOut):
            tally.left_out[history] = tally.left_out.get(history, 0) + 1
            return
        repeated = None if payment.risk is None else self._repeat(case, payment.risk)
        features = self._features(case)
        if features is None:
            self._leave_out(Fact.FEATURES)
        elif lacking := missing_facts(self._facts, features, payment):
            self._leave_out(*lacking)
        elif payment.risk is not None and features is payment.risk.features:
            tally.recorded += 1
            self._compare(case, history, features, {payment.risk.policy_id: repeated})
        else:
            tally.reconstructed += 1
            self._compare(case, history, features, {})

    def _leave_out(self, *facts: Fact) -> None:
        self.tally.not_evaluable_payments += 1
        for fact in facts:
            self.tally.not_evaluable[fact] = self.tally.not_evaluable.get(fact, 0) + 1

    def _features(self, case: Case) -> RiskFeatures | None:
        risk, mode = case.payment.risk, self._question.mode
        if mode is Mode.RECORDED or (mode is Mode.AUTO and risk is not None):
            return None if risk is None else risk.features
        if risk is None or case.reconstructed is None:
            return case.reconstructed
        # Only the recorded decision has the country.
        return replace(case.reconstructed, country=risk.features.country)

    def _repeat(self, case: Case, risk: RiskAssessment) -> Judged | None:
        """Return what the policy of the assessment decides now. Count a difference as drift."""
        if self._policies is None:
            return None
        policy = self._policies.get(risk.policy_id)
        if policy is None:
            self.tally.drift_unknown_policy += 1
            return None
        self.tally.drift_checked += 1
        judged = _judge(policy, risk.features, case.payment)
        if not _agree(judged, risk):
            self.tally.add_drift(Drift(case.position, case.payment.payment_id))
        return judged

    def _compare(
        self,
        case: Case,
        history: Outcome,
        features: RiskFeatures,
        judged: Mapping[str, Judged | None],
    ) -> None:
        """Count what both sides decide. `judged` has known decisions, by policy id."""
        payment, question = case.payment, self._question
        known = label(payment, at=question.at, mature=question.mature)
        decided = judged.get(question.candidate.policy_id) or _judge(
            question.candidate, features, payment
        )
        candidate = _side(decided.decision)
        if question.baseline is None:
            baseline = _recorded_side(history, payment.risk)
        else:
            baseline = _side(
                (
                    judged.get(question.baseline.policy_id)
                    or _judge(question.baseline, features, payment)
                ).decision
            )
        self._count(payment, baseline, candidate, known)
        self._count_rules(decided, payment, candidate.outcome, known)
        if baseline.outcome is not candidate.outcome:
            example = Example(
                sampling.rank(question.seed, payment.payment_id),
                payment.payment_id,
                case.position,
                baseline.outcome,
                candidate.outcome,
                known,
                payment.amount.minor,
                payment.amount.currency,
            )
            self.tally.add_example(example)

    def _count(self, payment: Payment, baseline: Side, candidate: Side, known: Label) -> None:
        tally, amount = self.tally, payment.amount
        cells = tally.matrix.setdefault(baseline.outcome, {}).setdefault(candidate.outcome, {})
        cell = cells.setdefault(known, {}).setdefault(amount.currency, [0, 0])
        cell[0] += 1
        cell[1] += amount.minor
        bands = tally.bands.setdefault(baseline.band, {})
        bands[candidate.band] = bands.get(candidate.band, 0) + 1
        tally.arrivals.add(
            payment.initiated_at,
            baseline=_count_review(tally.baseline, baseline),
            candidate=_count_review(tally.candidate, candidate),
        )

    def _count_rules(
        self, judged: Judged, payment: Payment, outcome: Outcome, known: Label
    ) -> None:
        document = self._question.candidate.document
        for rule in judged.fired:
            others = [each for each in judged.fired if each is not rule]
            without = outcome_of(decision_of(document, others, payment.amount))
            self._count_rule(rule.reason, known, decisive=without is not outcome)
        if payment.amount.currency not in document.review_over:
            decisive = outcome is Outcome.REVIEW and not any(
                rule.then is Verdict.REVIEW for rule in judged.fired
            )
            self._count_rule(NO_LIMIT, known, decisive=decisive)

    def _count_rule(self, reason: str, known: Label, *, decisive: bool) -> None:
        counts = self.tally.rules.setdefault(reason, {}).setdefault(known.kind, [0, 0])
        counts[0] += 1
        counts[1] += decisive


def _judge(policy: RiskPolicy, features: RiskFeatures, payment: Payment) -> Judged:
    document, amount = policy.document, payment.amount
    fired = fired_rules(document, features, amount=amount, method=payment.method)
    return Judged(fired, decision_of(document, fired, amount))


def _side(decision: Decision) -> Side:
    return Side(outcome_of(decision), decision.four_eyes, decision.band)


def _recorded_side(history: Outcome, risk: RiskAssessment | None) -> Side:
    if risk is None:
        return Side(history, four_eyes=False, band=UNSCORED)
    return Side(history, risk.four_eyes, risk.band)


def _count_review(reviews: Reviews, side: Side) -> bool:
    """Count the payment if it waits for review, and return whether it does."""
    if side.outcome is not Outcome.REVIEW:
        return False
    reviews.payments += 1
    reviews.four_eyes += side.four_eyes
    return True


def _agree(judged: Judged, risk: RiskAssessment) -> bool:
    """Return whether the decision and its rules match the assessment.

    Near misses and limits are not compared, because older code did not store them.
    """
    fired, decision = judged
    recorded = [rule for rule in risk.fired if rule.reason != NO_LIMIT]
    return (
        decision.score == risk.score
        and decision.band is risk.band
        and decision.review == risk.review
        and decision.block == risk.block
        and decision.four_eyes == risk.four_eyes
        and decision.reject_advised == risk.reject_advised
        and [(rule.reason, rule.points, rule.then) for rule in fired]
        == [(rule.reason, rule.points, rule.then) for rule in recorded]
    )
