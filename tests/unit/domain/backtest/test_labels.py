"""The label of a payment, by the table in the package's README."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, strategies as st

from payments.domain.backtest.labels import MATURE, Kind, Label, label
from payments.domain.payment.events import (
    AnyPaymentEvent,
    FailureReason,
    RefundReason,
    RejectionReason,
)
from tests.support.backtesting import case, random_cases
from tests.support.examples import (
    LARGE_FIRST,
    NOON,
    approved,
    cancelled,
    claimed,
    expired,
    failed,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    refunded,
    rejected,
)

MATURED: Final = NOON + MATURE
ROWS: Final[dict[str, tuple[Label, tuple[AnyPaymentEvent, ...]]]] = {
    "refunded as fraudulent": (
        Label.FRAUD,
        (initiated(), processed(), refunded(reason=RefundReason.FRAUDULENT)),
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
    "completed": (Label.GOOD, (initiated(), processed())),
    "approved": (
        Label.GOOD,
        (initiated(), flagged(), approved(at=NOON), processed_after_approval(at=NOON)),
    ),
    "refunded for another reason": (Label.GOOD, (initiated(), processed(), refunded())),
}


def labels_over_time(*events: AnyPaymentEvent, at: datetime) -> list[Label]:
    return [label(case(*events[:count]).payment, at=at) for count in range(1, len(events) + 1)]


@pytest.mark.parametrize(("expected", "events"), ROWS.values(), ids=ROWS)
def test_label_is_that_of_the_first_row_that_applies(
    expected: Label, events: tuple[AnyPaymentEvent, ...]
) -> None:
    assert label(case(*events).payment, at=MATURED) is expected


def test_label_is_good_once_the_payment_is_mature() -> None:
    payment = case(initiated(), processed()).payment

    just_before = label(payment, at=MATURED - timedelta(microseconds=1))

    assert just_before is Label.NOT_MATURE
    assert label(payment, at=MATURED) is Label.GOOD
    assert label(payment, at=NOON, mature=timedelta()) is Label.GOOD


def test_label_matures_from_the_completion_not_from_the_submission() -> None:
    events = (initiated(), flagged(), approved(), processed_after_approval())

    assert label(case(*events).payment, at=MATURED) is Label.NOT_MATURE


def test_label_stays_fraud_after_another_refund() -> None:
    fraud = refunded(10_00, reason=RefundReason.FRAUDULENT)

    payment = case(initiated(), processed(), fraud, refunded(5_00, so_far=15_00)).payment

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


def test_label_kind_is_unknown_unless_it_is_fraud_or_good() -> None:
    assert {each for each in Label if each.kind is not Kind.UNKNOWN} == {Label.FRAUD, Label.GOOD}
