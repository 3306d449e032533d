"""A bulk action's preview shows which payments it takes, and which it leaves out and why."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from msgspec.structs import replace

from payments import actors
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment import commands
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.events.models import Event
from readmodels import roles
from readmodels.admin.review import actions
from readmodels.admin.review.bulk import choosing, items
from tests.support.api import FOUR_EYES, ApiClient
from tests.support.backoffice import browser, text
from tests.support.bulk import BULK, CONFIRM, OUTCOME, block, left_out, preview, taken
from tests.support.example_commands import process
from tests.support.examples import LARGE, PAYMENT, UNKNOWN
from tests.support.reviewing import QUEUE, do, paid, waiting
from tests.support.roundtrips import round_trips
from tests.support.routing import act, assign, snooze, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

OWN_PAGE = "Approve it on its own page"


def reject_advised() -> str:
    """Submit a payment whose policy advises to reject it."""
    client = ApiClient().client_id
    policy = RiskPolicy.of(replace(DEFAULT_POLICY.document, reject_from=80))
    terms = {"amount": LARGE, "features": UNKNOWN, "client_id": client, "at": timezone.now()}
    dispatch(process(**terms, policy=policy), CommandContext(actor=actors.client(client)))
    return str(PAYMENT)


def blocked() -> str:
    (payment,) = waiting(customer_id="blocked")
    block("blocked")
    return payment


def test_preview_of_an_approval_leaves_out_what_needs_its_own_page() -> None:
    plain, euros, claimed = *waiting(), *waiting(currency="EUR"), *waiting()
    four_eyes, advised, customer_blocked = (
        *waiting(amount=FOUR_EYES["amount"]),
        reject_advised(),
        blocked(),
    )
    ann, grace, decided = staff("ann"), browser(), paid()
    act(commands.ClaimReview, claimed, ann)
    before = Event.objects.count()

    shown = preview(
        grace, "approve", [plain, claimed, four_eyes, advised, customer_blocked, decided, euros]
    )

    assert taken(shown) == [plain, euros]
    assert shown.context["totals"] == [("EUR", 1, "€15,000.00"), ("USD", 1, "$15,000.00")]
    why = left_out(shown)
    assert why[claimed].startswith("ann has claimed this payment until")
    assert why[four_eyes] == f"Two approvals are required. {OWN_PAGE}."
    assert (
        why[advised] == f"The risk policy advises rejecting this payment. {OWN_PAGE}, with a note."
    )
    assert why[customer_blocked] == f"The customer is blocked. {OWN_PAGE}, with a note."
    assert why[decided] == "This payment is completed and needs no decision."
    assert "Approve 2 payments" in text(shown)
    assert Event.objects.count() == before


def test_preview_of_a_rejection_takes_what_the_policy_advises_to_reject() -> None:
    (four_eyes,) = waiting(amount=FOUR_EYES["amount"])
    payments = [four_eyes, reject_advised(), blocked()]

    shown = preview(browser(), "reject", payments)

    assert taken(shown) == payments


@pytest.mark.parametrize("action", [each.name for each in actions.IN_BULK])
def test_claims_of_others_are_left_out_of_every_action(action: str) -> None:
    """A senior reviewer may take over such payments only one by one, on their pages."""
    (theirs,) = waiting()
    act(commands.ClaimReview, theirs, staff("ann"))

    shown = preview(browser(), action, [theirs])

    assert left_out(shown)[theirs].startswith("ann has claimed this payment until")
    assert "None of the selected payments can be" in text(shown)


def test_analyst_sees_what_needs_a_senior_reviewer() -> None:
    escalated, assigned, snoozed, mine = waiting(4)
    ann, ben, ben_id = browser("analyst", "ann"), browser("analyst", "ben"), staff("carl")
    do(ben, escalated, "escalate", note="Odd.")
    assign(assigned, staff("sam", "senior reviewer"), to=ben_id)
    snooze(snoozed, ben_id)
    do(ann, mine, "claim")
    payments = [escalated, assigned, snoozed, mine]

    approval, assignment = preview(ann, "approve", payments), preview(ann, "assign", payments)

    assert taken(approval) == [snoozed, mine]
    assert (
        left_out(approval)[escalated] == "This payment is escalated. A senior reviewer must decide."
    )
    assert left_out(approval)[assigned].startswith("This payment is assigned to carl until")
    assert taken(assignment) == [mine]
    assert set(left_out(assignment).values()) == {
        "Claim this payment before you hand it over, or ask a senior reviewer."
    }
    offered = dict(assignment.context["form"].fields["to"].choices)
    assert "ann" not in offered.values()


def test_preview_takes_the_same_number_of_round_trips_for_one_and_for_many_payments() -> None:
    payments = waiting(10)
    for number, payment in enumerate(payments[:4]):
        act(commands.ClaimReview, payment, staff(f"holder-{number}"))
    grace = browser()
    person = actions.Person(actor=staff("ann"), reviews=True)
    ids = list(map(UUID, payments))

    for _ in range(2):  # the first run prepares the statements
        preview(grace, "approve", payments)
        with round_trips() as one:
            preview(grace, "approve", payments[:1])
        with round_trips() as many:
            preview(grace, "approve", payments)
        with round_trips() as examined:
            items.examine(actions.APPROVE, items.load(ids), person, timezone.now())

    assert one.count == many.count
    assert examined.count == 3


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"action": "approve"}, "Select at least one payment."),
        ({"action": "approve", "payment": "x"}, "A selected payment has an invalid id."),
        ({"action": "refund"}, "This button is out of date."),
        ({}, "This button is out of date."),
        ({"action": "approve", "all": "view"}, "This view has no payments."),
    ],
)
def test_wrong_selection_names_the_problem(sent: dict[str, str], problem: str) -> None:
    answer = browser().post(BULK, sent, follow=True)

    assert answer.redirect_chain[0][0] == QUEUE
    assert problem in text(answer)


def test_more_than_fifty_payments_are_refused() -> None:
    ids = [f"{number:032x}" for number in range(51)]

    answer = browser().post(BULK, {"action": "reject", "payment": ids}, follow=True)

    assert "Select at most 50 payments, not 51." in text(answer)


def test_unknown_payment_is_not_found() -> None:
    assert preview(browser(), "approve", ["0" * 32]).status_code == 404


def test_page_and_view_are_selected_without_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "MOST_IN_BULK", 2)
    dollars, euros = waiting(3), waiting(currency="EUR")
    grace = browser()

    page = grace.post(BULK, {"action": "claim", "all": "page", "shown": euros})
    view = grace.post(f"{BULK}?currency=USD", {"action": "claim", "all": "view", "shown": euros})

    assert taken(page) == euros
    assert taken(view) == dollars[:2]
    assert "These are the first" in text(view)
    assert f'href="{QUEUE}?currency=USD"' in view.content.decode()


def test_broken_filter_selects_nothing() -> None:
    waiting()

    answer = browser().post(
        f"{BULK}?currency=dollars", {"action": "claim", "all": "view"}, follow=True
    )

    assert "A filter of this view is invalid." in text(answer)


@pytest.mark.parametrize("role", roles.ROLES)
def test_only_reviewers_select_payments(role: str) -> None:
    (payment,) = waiting()
    logged_in = browser(role, "other")
    reviews = role in {"analyst", "senior reviewer", "risk manager"}

    queue = logged_in.get(QUEUE).content.decode()

    assert (f'action="{BULK}"' in queue) is reviews
    assert (f'value="{payment}" form="bulk"' in queue) is reviews
    assert preview(logged_in, "claim", [payment]).status_code == (200 if reviews else 403)
    assert logged_in.post(CONFIRM).status_code == (302 if reviews else 403)
    assert logged_in.get(OUTCOME).status_code == (404 if reviews else 403)
    assert logged_in.get(BULK).status_code == (302 if reviews else 403)


def test_deadline_that_has_passed_is_left_out() -> None:
    (payment,) = waiting()
    person = actions.Person(actor=staff("ann"), reviews=True)
    (item,) = items.examine(
        actions.APPROVE,
        items.load([UUID(payment)]),
        person,
        timezone.now() + timedelta(days=30),
    )

    assert item.obstacle.startswith("The deadline for this decision was")
