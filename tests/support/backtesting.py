"""Random payments for backtests, decided by the domain itself."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from payments.domain.backtest.cases import Case, case_of
from payments.domain.backtest.evaluation import Evaluation
from payments.domain.backtest.question import Question
from payments.domain.backtest.tally import Tally
from payments.domain.list_items import Item, ListName
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import (
    DisputeOutcome,
    DisputeReason,
    RefundReason,
    RejectionReason,
)
from payments.domain.payment.deciding import decide
from payments.domain.payment.disputes import FINAL
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import Status, evolve
from payments.domain.risk.conditions import AmountOver, CountryIn, RiskFeatures, Velocity
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy, Rule, Verdict
from tests.support import example_commands, examples

LARGE_OVER_5_000: Final = Rule(
    reason="large", points=30, when=(AmountOver({"USD": 5_000_00, "JPY": 500_000}),)
)
ABROAD: Final = Rule(reason="abroad", points=45, when=(CountryIn(("KP", "US")),))
# A policy that differs from the built-in one in every outcome.
STRICTER: Final = RiskPolicy.of(
    replace(
        DEFAULT_POLICY.document,
        rules=(
            *DEFAULT_POLICY.document.rules[1:],
            LARGE_OVER_5_000,
            ABROAD,
            Rule(reason="watched", points=0, when=(CountryIn(("KP",)),), then=Verdict.BLOCK),
        ),
        block_over={"USD": 20_000_00},
    )
)
POLICIES: Final = {policy.policy_id: policy for policy in (DEFAULT_POLICY, STRICTER)}
END: Final = examples.NOON + timedelta(days=400)


def question(**changes: Any) -> Question:
    """Return a question that tests STRICTER over the whole log."""
    return Question(**{"candidate": STRICTER, "since": 1, "upto": 10**9, "at": END, **changes})


def case(*events: AnyPaymentEvent, reconstructed: RiskFeatures | None = None) -> Case:
    return case_of(examples.PAYMENT, 1, events, reconstructed)


def tally_of(
    asked: Question, cases: Sequence[Case], lists: Mapping[ListName, Item] | None = None
) -> Tally:
    evaluation = Evaluation(asked, POLICIES, lists or {})
    for each in cases:
        evaluation.add(each)
    return evaluation.tally


def random_cases(seed: int, count: int) -> list[Case]:
    """Return payments of one year. Most of them passed without review."""
    random = Random(seed)
    return [_random_case(random, place) for place in range(1, count + 1)]


def random_payments(seed: int, count: int) -> list[tuple[UUID, list[AnyPaymentEvent]]]:
    """Return the ids of random payments of one year, each with its events."""
    random = Random(seed)
    return [_random_payment(random) for _ in range(count)]


def _random_case(random: Random, place: int) -> Case:
    payment_id, events = _random_payment(random)
    return case_of(payment_id, place, events, _features(random))


def _random_payment(random: Random) -> tuple[UUID, list[AnyPaymentEvent]]:
    payment_id = UUID(int=random.getrandbits(128))
    at = examples.NOON + timedelta(minutes=random.randrange(60 * 24 * 365))
    events: list[AnyPaymentEvent] = []
    state = None

    def do(command: Any) -> None:
        nonlocal state
        for event in decide(state, command):
            events.append(event)
            state = evolve(state, payment_id, event)

    of = {"payment_id": payment_id}
    do(
        example_commands.process(
            **of,
            at=at,
            amount=_amount(random),
            method=random.choice(list(Method)),
            features=_features(random) if random.random() < 0.9 else None,
            policy=random.choice(list(POLICIES.values())),
        )
    )
    later = at + timedelta(minutes=random.randrange(1, 600))
    assert state is not None
    if state.status is Status.PENDING_REVIEW and random.random() < 0.8:
        do(example_commands.claim(**of, at=later))
        decided = later + timedelta(minutes=random.randrange(1, 14))
        if random.random() < 0.5:
            do(
                example_commands.reject(
                    **of, at=decided, reason=random.choice(list(RejectionReason))
                )
            )
        else:
            do(example_commands.approve(**of, at=decided, note=examples.NOTE))
    elif state.status is Status.COMPLETED and random.random() < 0.3:
        do(example_commands.refund(**of, at=later, reason=random.choice(list(RefundReason))))
    elif state.status is Status.COMPLETED and random.random() < 0.2:
        reason = random.choice(list(DisputeReason))
        do(example_commands.open_dispute(**of, opened_at=later, amount=state.amount, reason=reason))
        if random.random() < 0.7:
            outcome = random.choice(list(DisputeOutcome))
            lost = state.amount if outcome in FINAL else Money(0, state.amount.currency)
            do(
                example_commands.close_dispute(
                    **of, closed_at=later, outcome=outcome, lost_amount=lost, reason=reason
                )
            )
    return payment_id, events


def _amount(random: Random) -> Money:
    currency = random.choice(["USD", "USD", "JPY", "CHF"])
    return Money(
        random.randrange(10**3, random.choice([10**4, 10**5, 10**6, 25 * 10**5])), currency
    )


def _features(random: Random) -> RiskFeatures:
    knows = random.random() < 0.8
    return RiskFeatures(
        paid_by_card_before=random.random() < 0.7,
        position=40,
        age_ms=random.choice([0, 0, 0, 6_000]),
        new_customer=random.random() < 0.3 if knows else None,
        blocked=random.random() < 0.1 if knows else None,
        country=random.choice([None, "DE", "US", "KP"]),
        velocity=Velocity(
            count_1h=random.randrange(30), volume_1h=0, count_24h=40, volume_24h=6_000_000
        )
        if knows
        else None,
    )
