"""The label of a payment follows the table in the package's README."""

from datetime import UTC, timedelta
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, strategies as st

from payments.domain.backtest.labels import MATURE, Kind, Label, label
from payments.domain.payment.codes import (
    DisputeOutcome,
    DisputeReason,
    FailureReason,
    RefundReason,
    RejectionReason,
)
from payments.domain.payment.disputes import find
from payments.domain.payment.events import AnyDisputeEvent, AnyPaymentEvent, PaymentDisputed
from payments.domain.payment.state import evolve
from tests.support.backtesting import case, random_cases
from tests.support.example_events import (
    approved,
    cancelled,
    claimed,
    dispute_closed,
    disputed,
    expired,
    failed,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    refunded,
    rejected,
)
from tests.support.examples import LARGE_FIRST, NOON, usd

MATURED: Final = NOON + MATURE
COMPLETED: Final = (initiated(), processed())
WON: Final = dispute_closed(outcome=DisputeOutcome.WON, lost=usd(0))
ROWS: Final[dict[str, tuple[Label, tuple[AnyPaymentEvent, ...]]]] = {
    "lost as fraudulent": (Label.FRAUD, (*COMPLETED, disputed(), dispute_closed())),
    "accepted as unrecognized": (
        Label.FRAUD,
        (
            *COMPLETED,
            disputed(reason=DisputeReason.UNRECOGNIZED),
            dispute_closed(outcome=DisputeOutcome.ACCEPTED),
        ),
    ),
    "lost as fraudulent with another dispute open": (
        Label.FRAUD,
        (*COMPLETED, disputed(), dispute_closed(), disputed(dispute_id="another")),
    ),
    "refunded as fraudulent": (
        Label.FRAUD,
        (*COMPLETED, refunded(reason=RefundReason.FRAUDULENT)),
    ),
    "rejected for suspected fraud": (Label.FRAUD, (initiated(), flagged(), rejected())),
    "over the method's limit": (Label.NEVER_SCORED, (initiated(), failed())),
    "blocked": (
        Label.BLOCKED,
        (initiated(), failed(reason=FailureReason.BLOCKED_BY_POLICY, risk=LARGE_FIRST)),
    ),
    "not decided": (Label.PENDING, (initiated(),)),
    "under review": (Label.PENDING, (initiated(), flagged(), claimed())),
    "rejected otherwise": (
        Label.REJECTED,
        (initiated(), flagged(), rejected(reason=RejectionReason.DOCUMENTS_MISSING)),
    ),
    "expired": (Label.EXPIRED, (initiated(), flagged(), expired())),
    "cancelled": (Label.CANCELLED, (initiated(), flagged(), cancelled())),
    "dispute open": (Label.DISPUTE_OPEN, (*COMPLETED, disputed())),
    "dispute open after another was won": (
        Label.DISPUTE_OPEN,
        (*COMPLETED, disputed(), WON, disputed(dispute_id="another")),
    ),
    "dispute lost for another reason": (
        Label.DISPUTED,
        (*COMPLETED, disputed(reason=DisputeReason.DUPLICATE), dispute_closed()),
    ),
    "dispute prevented": (
        Label.DISPUTED,
        (*COMPLETED, disputed(), dispute_closed(outcome=DisputeOutcome.PREVENTED, lost=usd(0))),
    ),
    "dispute won": (Label.GOOD, (*COMPLETED, disputed(), WON)),
    "dispute withdrawn": (
        Label.GOOD,
        (*COMPLETED, disputed(), dispute_closed(outcome=DisputeOutcome.WITHDRAWN, lost=usd(0))),
    ),
    "completed": (Label.GOOD, COMPLETED),
    "approved": (
        Label.GOOD,
        (initiated(), flagged(), approved(at=NOON), processed_after_approval(at=NOON)),
    ),
    "refunded for another reason": (Label.GOOD, (*COMPLETED, refunded())),
}


# The other labels that later events may give a payment, by label. Labels not listed are final.
LATER_LABELS: Final[dict[Label, set[Label]]] = {
    Label.GOOD: {Label.DISPUTE_OPEN, Label.DISPUTED, Label.FRAUD},
    Label.DISPUTE_OPEN: {Label.GOOD, Label.DISPUTED, Label.FRAUD},
    Label.DISPUTED: {Label.GOOD, Label.DISPUTE_OPEN, Label.FRAUD},
}


@pytest.mark.parametrize(("expected", "events"), ROWS.values(), ids=ROWS)
def test_label_is_that_of_the_first_row_that_applies(
    expected: Label, events: tuple[AnyPaymentEvent, ...]
) -> None:
    assert label(case(*events).payment, at=MATURED) is expected


def test_rows_have_every_label() -> None:
    assert {expected for expected, _ in ROWS.values()} == set(Label) - {Label.NOT_MATURE}


def test_label_is_good_once_the_payment_is_mature() -> None:
    payment = case(*COMPLETED).payment

    just_before = label(payment, at=MATURED - timedelta(microseconds=1))

    assert just_before is Label.NOT_MATURE
    assert label(payment, at=MATURED) is Label.GOOD
    assert label(payment, at=NOON, mature=timedelta()) is Label.GOOD


def test_label_matures_from_the_completion_not_from_the_submission() -> None:
    events = (initiated(), flagged(), approved(), processed_after_approval())

    assert label(case(*events).payment, at=MATURED) is Label.NOT_MATURE


def test_label_stays_fraud_after_another_refund() -> None:
    fraud = refunded(10_00, reason=RefundReason.FRAUDULENT)

    payment = case(*COMPLETED, fraud, refunded(5_00, so_far=15_00)).payment

    assert label(payment, at=MATURED) is Label.FRAUD


@given(st.integers(0, 2**32), st.timedeltas(timedelta(), timedelta(days=800)))
def test_label_of_any_payment_exists_and_matures_from_unknown_to_good_only(
    seed: int, age: timedelta
) -> None:
    (random_case,) = random_cases(seed, 1)
    ages = (timedelta(), age, age + MATURE, age + 4 * MATURE)

    labels = [label(random_case.payment, at=NOON + each) for each in ages]

    for before, after in pairwise(labels):
        assert after is before or (before, after) == (Label.NOT_MATURE, Label.GOOD)


NOTICES: Final = st.one_of(
    st.builds(disputed, dispute_id=st.just("a")),
    st.builds(disputed, dispute_id=st.just("b"), reason=st.just(DisputeReason.GENERAL)),
    st.builds(
        dispute_closed,
        dispute_id=st.sampled_from(["a", "b"]),
        outcome=st.sampled_from(DisputeOutcome),
        closed_at=st.datetimes(timezones=st.just(UTC)),
    ),
)


@given(st.lists(NOTICES, max_size=10))
def test_label_of_a_disputed_payment_moves_in_allowed_directions_and_fraud_is_final(
    notices: list[AnyDisputeEvent],
) -> None:
    payment = case(*COMPLETED).payment
    labels = [label(payment, at=MATURED)]

    for notice in notices:
        if isinstance(notice, PaymentDisputed) or find(payment.disputes, notice.dispute_id):
            payment = evolve(payment, payment.payment_id, notice)
            labels.append(label(payment, at=MATURED))

    for before, after in pairwise(labels):
        assert after is before or after in LATER_LABELS[before]


def test_label_kind_is_unknown_unless_it_is_fraud_or_good() -> None:
    assert {each for each in Label if each.kind is not Kind.UNKNOWN} == {Label.FRAUD, Label.GOOD}
