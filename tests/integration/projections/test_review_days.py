"""ReviewDay counts the work of reviewers, in batches of any size and after a rebuild."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.findings import Approval, Finding
from readmodels.engine import runner
from readmodels.models import ReviewDay
from readmodels.projections import review_day
from readmodels.projections.review_day import WAITED, WORKED, bucket
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import project
from tests.support.example_events import (
    approved,
    claimed,
    dispute_closed,
    disputed,
    escalated,
    expired,
    first_approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    refunded,
    rejected,
    released,
    snoozed,
)
from tests.support.examples import HUGE, LATER, NOON, OTHER_REVIEWER, REVIEWER, SENIOR, SMALL
from tests.support.oracle import check_read_models
from tests.support.poison import append

pytestmark = pytest.mark.django_db(transaction=True)

PROJECTION: Final = review_day.PROJECTION
TODAY, NEXT_WEEK = LATER.date(), (NOON + timedelta(days=7)).date()
SOON: Final = LATER + timedelta(seconds=90)
BEGUN: Final = (initiated(amount=HUGE), flagged(amount=HUGE), claimed(amount=HUGE))
FOUR_EYES: Final = (
    *BEGUN,
    claimed(amount=HUGE, extends=True),
    first_approved(claimed_at=LATER, at=SOON),
    approved(amount=HUGE, reviewer=SENIOR, at=SOON),
    processed_after_approval(amount=HUGE, at=SOON),
)
FOUND: Final = (Approval(REVIEWER, SOON), Approval(SENIOR, SOON))


def _store(*histories: tuple[AnyPaymentEvent, ...]) -> None:
    for number, events in enumerate(histories, start=1):
        append(UUID(int=number), *events)
    project()


def _counts(reviewer: str = REVIEWER, day: date = TODAY, currency: str = "USD") -> dict[str, int]:
    """Return the counters of the row that are not zero."""
    row: Any = ReviewDay.objects.get(reviewer=reviewer, day=day, currency=currency)
    counters = [field.name for field in row._meta.fields][4:]
    return {name: value for name in counters if (value := getattr(row, name))}


def test_first_and_final_approval_count_for_their_reviewers() -> None:
    _store(FOUR_EYES)

    assert _counts(REVIEWER) == {
        "claimed_count": 1,
        "first_approved_count": 1,
        "worked_seconds": 90,
        "worked_2m": 1,
    }
    waited = int((SOON - NOON).total_seconds())
    assert _counts(SENIOR) == {
        "approved_count": 1,
        "approved_volume": HUGE.minor,
        "waited_seconds": waited,
        "waited_4h": 1,
    }


def test_other_ends_of_a_claim_count() -> None:
    _store(
        (*BEGUN, rejected(amount=HUGE, claimed_at=LATER)),
        (*BEGUN, released(amount=HUGE)),
        (*BEGUN, snoozed(amount=HUGE)),
        (*BEGUN, escalated(amount=HUGE)),
        (*BEGUN, expired(amount=HUGE, held_by=REVIEWER)),
        (*BEGUN, expired(amount=HUGE)),
    )

    assert _counts() == {
        "claimed_count": 6,
        "released_count": 1,
        "snoozed_count": 1,
        "escalated_count": 1,
        "rejected_count": 1,
        "rejected_volume": HUGE.minor,
        "worked_15s": 1,
        "waited_seconds": 3 * 3_600,
        "waited_4h": 1,
    }
    assert _counts(day=NEXT_WEEK) == {"expired_count": 1}


def test_decision_of_an_older_event_has_no_time_of_work() -> None:
    _store((*BEGUN, rejected(amount=HUGE)))

    assert not [name for name in _counts() if name.startswith("worked")]


def test_overturned_approval_counts_on_the_day_of_the_approval() -> None:
    month_later = NOON + timedelta(days=30)
    wrong = refunded(amount=HUGE, at=month_later, finding=Finding(True, FOUND))

    _store((*FOUR_EYES, wrong))

    assert _counts(REVIEWER)["first_overturned_count"] == 1
    assert _counts(SENIOR)["overturned_count"] == 1
    assert _counts(SENIOR)["overturned_volume"] == HUGE.minor
    assert set(ReviewDay.objects.values_list("day", flat=True)) == {TODAY}


def test_withdrawn_finding_is_subtracted() -> None:
    lost = dispute_closed(amount=HUGE, finding=Finding(True, FOUND))
    corrected = disputed(amount=HUGE, finding=Finding(False, FOUND))

    _store((*FOUR_EYES, lost, corrected))

    assert "overturned_count" not in _counts(SENIOR)
    assert "overturned_volume" not in _counts(SENIOR)


def test_payments_without_a_review_have_no_row() -> None:
    _store((initiated(), processed(), refunded()))

    assert not ReviewDay.objects.exists()


@pytest.mark.parametrize("histogram", [WORKED, WAITED], ids=["worked", "waited"])
def test_histogram_counts_each_time_in_one_column(histogram: dict[str, int | None]) -> None:
    *limited, last = histogram
    longest = 0

    for name in limited:
        limit = histogram[name]
        assert limit is not None
        assert (bucket(longest, histogram), bucket(limit, histogram)) == (name, name)
        longest = limit + 1

    assert bucket(longest, histogram) == last
    assert set(histogram) <= {field.name for field in ReviewDay._meta.fields}


def test_rebuild_gives_the_same_rows_as_small_batches() -> None:
    lost = dispute_closed(amount=HUGE, finding=Finding(True, FOUND))
    others = (claimed(reviewer=OTHER_REVIEWER), rejected(reviewer=OTHER_REVIEWER, claimed_at=LATER))
    decided = (initiated(amount=SMALL), flagged(), *others)
    for number, events in enumerate(((*FOUR_EYES, lost), decided, (*BEGUN, released())), start=1):
        append(UUID(int=number), *events)
    while (batch := runner.run_batch(PROJECTION, limit=3)) and batch.events:
        pass
    before = list(ReviewDay.objects.order_by("pk").values_list())

    rebuilt = rebuild([PROJECTION], workers=2)

    assert len(before) == 3
    assert list(ReviewDay.objects.order_by("pk").values_list()) == before
    assert all(each.same for each in rebuilt.comparisons)
    check_read_models([PROJECTION])
