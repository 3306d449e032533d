"""The time that reviewers worked on a payment."""

from datetime import timedelta
from typing import Final

import pytest

from payments.domain.backtest.cases import case_of
from tests.support.backtesting import case
from tests.support.example_events import (
    approved,
    claimed,
    escalated,
    first_approved,
    flagged,
    initiated,
    processed_after_approval,
    rejected,
    released,
)
from tests.support.examples import LATER, OTHER_REVIEWER, PAYMENT, SENIOR

MINUTE: Final = timedelta(minutes=1)
FLAGGED: Final = (initiated(), flagged())


def test_worked_time_is_that_from_claim_to_decision() -> None:
    at = LATER + 4 * MINUTE
    decided = (approved(at=at), processed_after_approval(at=at))

    assert case(*FLAGGED, claimed(), *decided).worked_ms == (240_000,)
    assert case(*FLAGGED, claimed(), rejected(at=at)).worked_ms == (240_000,)


def test_worked_time_of_two_people_has_two_parts() -> None:
    events = (
        claimed(),
        first_approved(at=LATER + MINUTE),
        claimed(at=LATER + 9 * MINUTE, reviewer=SENIOR),
        approved(at=LATER + 12 * MINUTE, reviewer=SENIOR),
    )

    assert case(*FLAGGED, *events).worked_ms == (60_000, 180_000)


def test_worked_time_begins_with_the_first_of_the_claims_that_renew_each_other() -> None:
    renewed = claimed(at=LATER + 10 * MINUTE, until=LATER + 25 * MINUTE)

    assert case(*FLAGGED, claimed(), renewed, rejected(at=LATER + 11 * MINUTE)).worked_ms == (
        660_000,
    )


def test_worked_time_begins_again_after_another_reviewer_or_a_lapse() -> None:
    another = claimed(at=LATER + 10 * MINUTE, reviewer=OTHER_REVIEWER)
    lapsed = claimed(at=LATER + 20 * MINUTE)

    assert case(*FLAGGED, claimed(), another, rejected(at=LATER + 11 * MINUTE)).worked_ms == (
        60_000,
    )
    assert case(*FLAGGED, claimed(), lapsed, rejected(at=LATER + 21 * MINUTE)).worked_ms == (
        60_000,
    )


@pytest.mark.parametrize("ends", [released(), escalated()])
def test_decision_without_a_claim_is_not_observed(ends: object) -> None:
    decided = rejected(at=LATER + MINUTE)

    assert case(*FLAGGED, decided).worked_ms == ()
    assert case(*FLAGGED, claimed(), ends, decided).worked_ms == ()  # type: ignore[arg-type]


def test_case_needs_an_event() -> None:
    with pytest.raises(ValueError, match=str(PAYMENT)):
        case_of(PAYMENT, 1, ())
