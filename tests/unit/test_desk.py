"""The box on a payment's page: offered actions, headline, and reasons for missing buttons."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.dispatch import Outcome
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import REVIEW_PERIOD, Payment
from payments.domain.risk.assessment import RiskAssessment
from payments.domain.risk.conditions import RiskFeatures
from payments.events import replay
from readmodels.admin.base import fragments
from readmodels.admin.review import actions
from readmodels.admin.review.action_texts import done
from readmodels.admin.review.actions import Person
from readmodels.admin.review.desk import desk
from tests.support.example_events import (
    approved,
    assigned,
    cancelled,
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
    resumed,
    snoozed,
)
from tests.support.examples import (
    HUGE,
    HUGE_FIRST,
    LARGE,
    LATER,
    NOON,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    SENIOR,
    usd,
)

VIEWER: Final = Person(actor="staff:1")
ANALYST: Final = Person(actor=OTHER_REVIEWER, reviews=True)
GRACE: Final = Person(actor=SENIOR, reviews=True, senior=True, corrects=True)
NAMES: Final = {REVIEWER: "Ada Ng", OTHER_REVIEWER: "Cleo Martin", SENIOR: "Grace Hopper"}

WAITING: Final = (initiated(amount=LARGE), flagged())
FOUR_EYES: Final = (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST))
FIRST_APPROVED: Final = (*FOUR_EYES, first_approved())
PAID: Final = (initiated(), processed())
REJECT_ADVISED: Final = RiskAssessment(
    score=120,
    band=HUGE_FIRST.band,
    review=True,
    reject_advised=True,
    fired=HUGE_FIRST.fired,
    features=RiskFeatures(paid_by_card_before=False, position=1, age_ms=0),
    policy_id=HUGE_FIRST.policy_id,
)

DECIDE: Final = "approve reject escalate"


def after(*events: AnyPaymentEvent) -> Payment:
    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, events)
    assert payment is not None
    return payment


@pytest.mark.parametrize(
    ("events", "viewer", "analyst", "senior"),
    [
        (WAITING, "", f"{DECIDE} claim snooze", f"{DECIDE} claim snooze assign cancel"),
        ((*WAITING, claimed()), "", "", "take_over assign cancel"),
        (
            (*WAITING, claimed(reviewer=OTHER_REVIEWER)),
            "",
            f"{DECIDE} claim release snooze assign",
            "take_over assign cancel",
        ),
        (
            (*WAITING, claimed(until=LATER)),
            "",
            f"{DECIDE} claim snooze",
            f"{DECIDE} claim snooze assign cancel",
        ),
        (
            (*WAITING, snoozed()),
            "",
            f"{DECIDE} claim snooze resume",
            f"{DECIDE} claim snooze resume assign cancel",
        ),
        (
            (*WAITING, assigned(to=REVIEWER)),
            "",
            "",
            f"{DECIDE} claim snooze assign cancel",
        ),
        (
            (*WAITING, assigned()),
            "",
            f"{DECIDE} claim snooze assign",
            f"{DECIDE} claim snooze assign cancel",
        ),
        ((*WAITING, escalated()), "", "", "approve reject claim snooze assign cancel"),
        (
            FOUR_EYES,
            "",
            f"{DECIDE} claim snooze",
            f"{DECIDE} claim snooze assign cancel",
        ),
        (FIRST_APPROVED, "", "", f"{DECIDE} claim snooze assign cancel"),
        ((*FOUR_EYES, first_approved(reviewer=SENIOR)), "", "", "reject escalate assign cancel"),
        (
            (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST, policy_author=SENIOR)),
            "",
            f"{DECIDE} claim snooze",
            "reject escalate claim snooze assign cancel",
        ),
        ((initiated(),), "", "", "cancel"),
        (PAID, "", "", "refund"),
        ((*PAID, refunded(40_00)), "", "", "refund"),
        ((*PAID, refunded()), "", "", ""),
        ((*PAID, disputed()), "", "", ""),
        ((*PAID, disputed(), dispute_closed(lost=usd(60_00))), "", "", "refund"),
        ((*WAITING, approved(), processed_after_approval()), "", "", "refund"),
        ((*WAITING, rejected()), "", "", ""),
        ((*WAITING, expired()), "", "", ""),
        ((*WAITING, cancelled()), "", "", ""),
    ],
)
def test_offered_actions_match_the_role(
    events: tuple[AnyPaymentEvent, ...], viewer: str, analyst: str, senior: str
) -> None:
    payment = after(*events)
    for person, expected in ((VIEWER, viewer), (ANALYST, analyst), (GRACE, senior)):
        found = [action.name for action in actions.offered(payment, person, LATER)]
        assert found == expected.split(), person
        shown = desk(payment, person, LATER, names=NAMES)
        assert [action.name for action, _ in shown.offers] == found


def test_no_decision_is_offered_after_the_deadline() -> None:
    late = NOON + REVIEW_PERIOD
    payment = after(*WAITING)
    assert [each.name for each in actions.offered(payment, GRACE, late)] == ["cancel"]
    shown = desk(payment, GRACE, late, names=NAMES)
    assert shown.headline.startswith("The deadline has passed.")
    assert (shown.time_left, shown.lines) == ("overdue", ())


def test_note_is_required_where_the_domain_requires_it() -> None:
    plain, advised = after(*WAITING), after(initiated(), flagged(risk=REJECT_ADVISED))
    for action, payment, needed in (
        (actions.APPROVE, plain, False),
        (actions.APPROVE, advised, True),
        (actions.REJECT, advised, False),
        (actions.ESCALATE, plain, True),
    ):
        assert actions.needs_note(action, payment, GRACE, LATER) is needed
        blocked = actions.needs_note(action, payment, GRACE, LATER, customer_blocked=True)
        assert blocked is (needed or action is actions.APPROVE)
    lines = " ".join(line.text for line in desk(advised, GRACE, LATER, names=NAMES).lines)
    assert "advises rejecting" in lines


@pytest.mark.parametrize(
    ("events", "person", "headline", "text"),
    [
        (WAITING, ANALYST, "Unclaimed", ""),
        ((*WAITING, claimed()), ANALYST, "Claimed by Ada Ng until 15:15 UTC (15 min left)", ""),
        (
            (*WAITING, claimed(reviewer=SENIOR)),
            GRACE,
            "Yours until 15:15 UTC (15 min left)",
            "",
        ),
        (
            (*WAITING, snoozed()),
            ANALYST,
            "Snoozed by Ada Ng until 2026-01-06 15:00 UTC",
            "",
        ),
        ((*WAITING, snoozed(reviewer=SENIOR)), GRACE, "Snoozed by you until", ""),
        ((*WAITING, snoozed(), resumed()), ANALYST, "Unclaimed", ""),
        (
            (*WAITING, assigned(to=REVIEWER)),
            ANALYST,
            "Unclaimed, assigned to Ada Ng",
            "Reserved for Ada Ng until 2026-01-09 00:00 UTC.",
        ),
        ((*WAITING, assigned()), ANALYST, "Unclaimed, assigned to you", "Reserved for you until"),
        ((*WAITING, escalated()), ANALYST, "Unclaimed", "is escalated. A senior reviewer must"),
        (FIRST_APPROVED, ANALYST, "Unclaimed", "A senior reviewer must give the second approval."),
        (FIRST_APPROVED, GRACE, "Unclaimed", "a senior reviewer other than Ada Ng."),
        (
            (*FOUR_EYES, first_approved(reviewer=SENIOR)),
            GRACE,
            "You gave the first approval.",
            "",
        ),
        (
            (*FOUR_EYES, first_approved(reviewer=OTHER_REVIEWER)),
            ANALYST,
            "You gave the first approval.",
            "",
        ),
        (
            (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST, policy_author=SENIOR)),
            GRACE,
            "Unclaimed",
            "You proposed the policy that flagged this payment. Two other people must approve it.",
        ),
        ((*PAID, refunded(40_00)), GRACE, "Partially refunded.", "$60.00 can still be refunded"),
        (
            (*FIRST_APPROVED, approved(reviewer=SENIOR), processed_after_approval()),
            VIEWER,
            "Completed. Approved by Ada Ng and Grace Hopper.",
            "",
        ),
        ((*WAITING, rejected()), VIEWER, "Rejected by Ada Ng.", ""),
        ((*WAITING, expired()), VIEWER, "Expired.", ""),
        ((initiated(),), VIEWER, "This payment has not been decided yet.", ""),
    ],
)
def test_headline_and_reasons_for_missing_buttons(
    events: tuple[AnyPaymentEvent, ...], person: Person, headline: str, text: str
) -> None:
    shown = desk(after(*events), person, LATER, names=NAMES)
    assert shown.headline.startswith(headline)
    assert text in " ".join(line.text for line in shown.lines)
    if not text:
        assert "lock" not in [line.icon for line in shown.lines]


def test_button_labels_depend_on_the_holder_of_the_claim() -> None:
    mine, theirs = (*WAITING, claimed(reviewer=SENIOR)), (*WAITING, claimed())
    labels = {action.name: label for action, label in _offers(mine)}
    assert (labels["claim"], labels["release"]) == ("Extend claim", "Release")
    labels = {action.name: label for action, label in _offers(theirs)}
    assert labels["take_over"] == "Take over from Ada Ng"


def _offers(events: tuple[AnyPaymentEvent, ...]) -> tuple[tuple[actions.Action, str], ...]:
    return desk(after(*events), GRACE, LATER, names=NAMES).offers


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(seconds=-1), ("overdue", "overdue")),
        (timedelta(), ("overdue", "overdue")),
        (timedelta(seconds=1), ("less than a minute left", "soon")),
        (timedelta(minutes=14, seconds=1), ("15 min left", "soon")),
        (timedelta(minutes=59, seconds=59), ("60 min left", "soon")),
        (timedelta(hours=1), ("1 h left", "soon")),
        (timedelta(hours=23, minutes=59), ("23 h left", "soon")),
        (timedelta(hours=47), ("47 h left", "")),
        (timedelta(days=2), ("2 days left", "")),
    ],
)
def test_time_left_uses_one_unit(left: timedelta, expected: tuple[str, str]) -> None:
    at: datetime = NOON
    assert fragments.time_left(at + left, at) == expected


def test_every_action_has_its_own_success_message() -> None:
    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, PAID)
    assert payment is not None
    outcome = Outcome(payment, position=2, replayed=False)
    messages = [done(action, outcome) for action in actions.ACTIONS]
    assert len(set(messages)) == len(messages)
    assert not [message for message in messages if message.startswith("Done")]
    unheard_of = replace(actions.REFUND, name="forget")
    assert done(unheard_of, outcome) == "Done. Lists update within a few seconds."
