"""The review desk without a browser: the queue, the buttons of each role, and what comes of pressing them."""

import itertools
import re
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from msgspec.structs import replace

from payments import actors, review
from payments.customers.models import Note
from payments.dispatch import Request, dispatch
from payments.domain.risk import DEFAULT_POLICY, RiskPolicy
from payments.events.models import Event
from payments.review import QueueLags
from readmodels.admin import actions
from readmodels.admin.browsing import PAGE
from readmodels.models import PaymentSummary
from tests.api import FOUR_EYES, RISKY, ApiClient, body_of, project
from tests.backoffice import browser, text
from tests.concurrency import at_once
from tests.examples import HUGE, LARGE, PAYMENT, UNKNOWN, process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

QUEUE: Final = "/admin/reviews/"
NEXT: Final = "/admin/reviews/claim-next/"
_NUMBERS: Final = itertools.count(1)
NAMES: Final = [action.name for action in actions.ACTIONS]


def waiting(count: int = 1, **changes: Any) -> list[str]:
    """Payments that wait for review, the first one first, in the queue."""
    client, found = ApiClient(), []
    for number in itertools.islice(_NUMBERS, count):
        # Not a random id: some have the digits of a card number.
        each = {"customer_id": f"newcomer-{number}", "reference": f"order-{number}"}
        found.append(str(body_of(client.submit(**RISKY | each | changes))["id"]))
    project()
    return found


def paid(**changes: Any) -> str:
    return str(body_of(ApiClient().submit(**changes))["id"])


def payment_page(payment: str) -> str:
    return reverse("admin:readmodels_paymentsummary_change", args=[payment])


def at(payment: str, action: str) -> str:
    return reverse(f"admin:payment_{action}", args=[payment])


def buttons(logged_in: Browser, payment: str) -> list[str]:
    """The actions that the payment's page offers, in order."""
    html = logged_in.get(payment_page(payment)).content.decode()
    leads = {each.name: "href" if each.has_page else "action" for each in actions.ACTIONS}
    return [name for name in NAMES if f'{leads[name]}="{at(payment, name)}"' in html]


def form(logged_in: Browser, payment: str, action: str, **given: str) -> dict[str, str]:
    """What the form behind the button would send."""
    has_page = next(each for each in actions.ACTIONS if each.name == action).has_page
    html = logged_in.get(
        at(payment, action) if has_page else payment_page(payment)
    ).content.decode()
    key = re.search(r'name="key" value="([^"]+)"', html)
    version = re.search(r'name="version" value="([^"]+)"', html)
    assert key, "there is no such page"
    assert version, "there is no such page"
    reason = {"reason": "other"} if has_page else {}
    return {"key": key[1], "version": version[1], **reason, **given}


def do(logged_in: Browser, payment: str, action: str, **given: str) -> str:
    """Press the button, fill in the form, and read what comes."""
    sent = form(logged_in, payment, action, **given)
    return text(logged_in.post(at(payment, action), sent, follow=True))


def next_key(logged_in: Browser, path: str = QUEUE) -> dict[str, str]:
    html = logged_in.get(path).content.decode()
    found = re.search(r'claim-next/">.*?name="key" value="([^"]+)"', html, re.DOTALL)
    assert found, "the page has no such button"
    return {"key": found[1]}


def rows(logged_in: Browser, query: str = "") -> list[str]:
    listing: Any = logged_in.get(QUEUE + query).context["cl"]
    return [str(row.pk) for row in listing.result_list]


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("viewer", []),
        ("auditor", []),
        ("analyst", ["approve", "reject", "escalate", "claim"]),
        ("senior reviewer", ["approve", "reject", "escalate", "claim", "cancel"]),
        ("risk manager", ["approve", "reject", "escalate", "claim"]),
    ],
)
def test_screens_and_commands_agree_on_what_a_role_may_do(role: str, offered: list[str]) -> None:
    (payment,) = waiting()
    logged_in = browser(role)
    assert buttons(logged_in, payment) == offered
    assert ("Claim next" in text(logged_in.get(QUEUE))) == bool(offered)
    assert ("Claim next" in text(logged_in.get("/admin/"))) == bool(offered)
    before = Event.objects.count()
    forged = {"reason": "other", "note": "x", "key": str(uuid4()), "version": "2", "amount": "1"}
    for action in set(NAMES) - set(offered):
        answer = logged_in.post(at(payment, action), forged)
        # What they may not do at all is forbidden, what makes no sense now is explained.
        assert answer.status_code in {302, 403}
    if not offered:
        assert logged_in.post(NEXT, {"key": str(uuid4())}).status_code == 403
    assert Event.objects.count() == before


def test_every_button_needs_the_token_of_its_page() -> None:
    (payment,) = waiting()
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_superuser("root"))
    forged = {"reason": "other", "key": str(uuid4()), "version": "2"}
    for url in (NEXT, *(at(payment, action) for action in NAMES)):
        assert strict.post(url, forged).status_code == 403
    assert Event.objects.count() == 2


def test_a_claim_is_kept_for_longer_and_released_and_others_see_whose_it_is() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    assert "Yours until" in do(ann, payment, "claim")
    told = text(ben.get(payment_page(payment)))
    assert re.search(r"ann has claimed it until \d\d:\d\d UTC, 15 min left\.", told)
    assert buttons(ben, payment) == []
    assert "You have claimed it until" in text(ann.get(payment_page(payment)))
    assert buttons(ann, payment) == ["approve", "reject", "escalate", "claim", "release"]
    do(ann, payment, "claim")
    assert "Released: anybody may claim it." in do(ann, payment, "release")
    assert "Free: nobody has claimed" in text(ben.get(payment_page(payment)))
    assert Event.objects.count() == 5


def test_a_senior_reviewer_takes_a_claim_away() -> None:
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    do(ann, payment, "claim")
    assert "Take it from ann" in text(grace.get(payment_page(payment)))
    told = do(grace, payment, "release")
    assert "Released" in told
    assert "Taken from ann" in told  # in the history


def test_a_late_click_is_told_who_was_faster() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    late = {name: form(ben, payment, name, note="Odd.") for name in ("approve", "claim")}
    do(ann, payment, "claim")
    for name, sent in late.items():
        told = text(ben.post(at(payment, name), sent, follow=True))
        assert "ann has claimed this payment until" in told
        assert "staff:" not in told
    told = text(ben.get(at(payment, "reject"), follow=True))
    assert "ann has claimed this payment until" in told
    assert (Event.objects.count(), Note.objects.count()) == (3, 0)


def test_a_double_click_is_one_claim() -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "claim")
    session = logged_in.cookies["sessionid"].value

    def click(_: int) -> str:
        clicking = Browser()
        clicking.cookies["sessionid"] = session
        return text(clicking.post(at(payment, "claim"), sent, follow=True))

    assert all("Yours until" in told for told in at_once(4, click))
    assert Event.objects.count() == 3


def test_an_escalation_needs_a_note_and_shows_it_to_the_senior_reviewer() -> None:
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    page = text(ann.get(at(payment, "escalate")))
    assert "Note (needed)" in page
    answer = ann.post(at(payment, "escalate"), form(ann, payment, "escalate"))
    assert answer.status_code == 200
    assert "note" in answer.context["form"].errors
    assert "Say in a note what the senior reviewers should look at." in text(answer)
    assert Event.objects.count() == 2
    told = do(ann, payment, "escalate", note="The address is new.")
    assert "Escalated. A senior reviewer takes it from here." in told
    assert "This payment was escalated: a senior reviewer has to decide." in told
    assert buttons(ann, payment) == []
    assert buttons(grace, payment) == ["approve", "reject", "claim", "cancel"]
    for path in (payment_page(payment), at(payment, "approve")):
        assert "Escalated by ann: Other. “The address is new.”" in text(grace.get(path))
    project()
    assert "Escalated" in text(ann.get(QUEUE))


def test_what_the_policy_advises_to_reject_is_approved_with_a_note_only() -> None:
    policy = replace(DEFAULT_POLICY.document, reject_from=80)
    get_user_model().objects.create(pk=77, username="maud")
    author = actors.staff(77)
    payment, grace = _flagged(policy=RiskPolicy.of(policy), policy_author=author), browser()
    told = text(grace.get(payment_page(payment)))
    assert all(words in told for words in ("Reject advised", "To approve it takes a note", "maud"))
    assert "Note (needed)" in text(grace.get(at(payment, "approve")))
    answer = grace.post(at(payment, "approve"), form(grace, payment, "approve"))
    assert "note" in answer.context["form"].errors
    assert "say in a note why it may go through" in text(answer)
    assert Event.objects.count() == 2
    assert "Approved." in do(grace, payment, "approve", note="They sent the invoice.")


def test_whoever_proposed_the_policy_does_not_approve_what_it_flagged() -> None:
    maud = browser("risk manager", "maud")
    author = actors.staff(get_user_model().objects.get(username="maud").pk)
    payment = _flagged(policy_author=author, amount=HUGE)
    assert buttons(maud, payment) == ["reject", "escalate", "claim"]
    why = "You proposed the policy that flagged it: two others have to approve it."
    assert why in text(maud.get(payment_page(payment)))
    assert why in text(maud.get(at(payment, "approve"), follow=True))
    forged = {"reason": "other", "key": str(uuid4()), "version": "2"}
    assert why in text(maud.post(at(payment, "approve"), forged, follow=True))
    told = text(browser().get(payment_page(payment)))
    assert "maud, who proposed the policy, cannot be one of them." in told


def _flagged(**changes: Any) -> str:
    """A payment that waits for review by the rules of another policy."""
    client = ApiClient().client_id
    terms = {"amount": LARGE, "features": UNKNOWN, "client_id": client, "at": timezone.now()}
    dispatch(process(**terms | changes), Request(actor=actors.client(client)))
    project()
    return str(PAYMENT)


def test_two_people_approve_in_two_browsers() -> None:
    (payment,) = waiting(amount=FOUR_EYES["amount"])
    ann, grace = browser("analyst", "ann"), browser()
    assert "First of two approvals" in text(ann.get(at(payment, "approve")))
    told = do(ann, payment, "approve", note="Known for years.")
    assert "Approved as the first of two. A senior reviewer has to agree." in told
    assert "You have approved it already: a senior reviewer has to agree." in told
    project()
    assert "first approved by ann" in text(grace.get(QUEUE))
    page = text(grace.get(at(payment, "approve")))
    assert "Second approval: ann approved it first, and yours completes it." in page
    assert "First approved by ann: Other. “Known for years.”" in page
    told = do(grace, payment, "approve")
    assert "Approved. The lists follow in a moment." in told
    assert "Approved by ann and grace: completed." in told


def test_nobody_approves_twice() -> None:
    (payment,) = waiting(amount=FOUR_EYES["amount"])
    grace = browser()
    sent = form(grace, payment, "approve")
    grace.post(at(payment, "approve"), sent)
    assert buttons(grace, payment) == ["reject", "escalate", "cancel"]
    assert "You have approved it already: somebody else has to agree." in text(
        grace.get(at(payment, "approve"), follow=True)
    )
    again = sent | {"key": str(uuid4()), "version": "3"}
    told = text(grace.post(at(payment, "approve"), again, follow=True))
    assert "You have approved it already: somebody else has to agree." in told
    assert Event.objects.count() == 3


def test_the_same_page_with_another_reason_is_refused() -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "reject")
    logged_in.post(at(payment, "reject"), sent)
    told = text(logged_in.post(at(payment, "reject"), sent | {"note": "Odd."}, follow=True))
    assert "You have sent this page already, with another note." in told


def test_a_payment_is_cancelled_by_staff_who_may() -> None:
    (payment,) = waiting()
    told = do(browser(), payment, "cancel", reason="duplicate")
    assert "Cancelled. The lists follow in a moment." in told
    assert browser("analyst", "ann").get(at(payment, "cancel")).status_code == 403


def test_refunds_are_partial_until_nothing_is_left() -> None:
    payment, grace = paid(), browser()
    page = grace.get(at(payment, "refund")).content.decode()
    assert 'value="19.99"' in page
    assert "Amount in EUR" in page
    told = do(grace, payment, "refund", amount="5", reason="requested_by_customer")
    assert "Refunded: €14.99 is left." in told
    assert "€5.00 of €19.99 was given back, €14.99 is left." in told
    assert 'value="14.99"' in grace.get(at(payment, "refund")).content.decode()
    told = do(grace, payment, "refund", amount="14.99")
    assert "Refunded: nothing is left." in told
    assert buttons(grace, payment) == []
    assert "there is nothing to give back" in text(grace.get(at(payment, "refund"), follow=True))


def test_a_double_click_gives_money_back_once() -> None:
    payment, grace = paid(), browser()
    sent = form(grace, payment, "refund", amount="12.00")
    for _ in range(2):  # more than half: a second one would be too large
        told = text(grace.post(at(payment, "refund"), sent, follow=True))
        assert "Refunded: €7.99 is left." in told
    assert Event.objects.filter(event_type="payment.refunded").count() == 1


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        ("", "This field is required."),
        ("0", "at least one minor unit"),
        ("-5", "at least one minor unit"),
        ("20.00", "no more than EUR 19.99 is left"),
        ("1.999", "more than the 2 decimals of EUR"),
        ("1,50", "is not a decimal number"),
        ("1e1", "is not a decimal number"),
        ("١٢", "is not a decimal number"),
        ("NaN", "is not a decimal number"),
        ("9" * 29, "at most 999999999999 minor units"),
        ("9" * 31, "at most 30 characters"),
        ("1\0", "Null characters are not allowed"),
        ("<script>alert(1)</script>", "is not a decimal number"),
    ],
)
def test_a_wrong_amount_is_explained_and_gives_nothing_back(amount: str, complaint: str) -> None:
    payment, grace = paid(), browser()
    answer = grace.post(at(payment, "refund"), form(grace, payment, "refund", amount=amount))
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["amount"]
    assert complaint in text(answer)
    assert "<script>alert" not in answer.content.decode()
    assert Event.objects.count() == 2


@pytest.mark.parametrize("action", NAMES)
@pytest.mark.parametrize(
    "forged", [{}, {"key": "x", "version": "2"}, {"key": str(uuid4()), "version": "-1"}]
)
def test_a_form_that_no_page_made_does_nothing(action: str, forged: dict[str, str]) -> None:
    (payment,) = waiting()
    answer = browser().post(at(payment, action), forged | {"reason": "other"})
    assert answer.status_code in {200, 302}
    assert Event.objects.count() == 2


def test_buttons_without_a_page_lead_back_to_the_payment() -> None:
    (payment,) = waiting()
    assert browser().get(at(payment, "claim")).headers["Location"] == payment_page(payment)


def test_the_past_has_no_buttons() -> None:
    (payment,) = waiting()
    html = browser().get(payment_page(payment) + "?version=1").content.decode()
    assert at(payment, "claim") not in html
    assert "What to do" not in html


def test_the_next_one_is_the_most_urgent_and_a_double_click_claims_one() -> None:
    payments = waiting(3)
    grace = browser()
    sent = next_key(grace)
    for _ in range(2):
        answer = grace.post(NEXT, sent)
        assert answer.headers["Location"] == payment_page(payments[0])
    project()
    answer = grace.post(NEXT, next_key(grace, payment_page(payments[1])), follow=True)
    assert answer.redirect_chain[-1][0] == payment_page(payments[1])
    assert "Yours until" in text(answer)
    assert Event.objects.filter(event_type="payment.review_claimed").count() == 2
    # On the page of one's own there is something else to do first.
    assert "Claim next" not in text(grace.get(payment_page(payments[1])))


def test_two_people_who_ask_at_once_get_two_payments() -> None:
    payments = waiting(2)
    people = [browser("analyst", "ann"), browser("analyst", "ben")]
    sent = [next_key(each) for each in people]

    def ask(number: int) -> str:
        return str(people[number].post(NEXT, sent[number]).headers["Location"])

    assert sorted(at_once(2, ask)) == sorted(map(payment_page, payments))


def test_there_may_be_nothing_for_this_person() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")
    project()
    answer = ben.post(NEXT, next_key(ben), follow=True)
    assert answer.redirect_chain[-1][0] == QUEUE
    assert "Nothing waits for you." in text(answer)
    assert "That button was not from this page." in text(ben.post(NEXT, {}, follow=True))
    assert ben.get(NEXT).status_code == 405


def test_a_queue_that_lags_asks_for_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    def lag(**_: Any) -> None:
        raise QueueLags

    waiting()
    grace = browser()
    sent = next_key(grace)
    monkeypatch.setattr(review, "claim_next", lag)
    assert "Try again in a moment." in text(grace.post(NEXT, sent, follow=True))


def test_the_queue_begins_with_the_shortest_deadline_and_pages_lead_on_and_back() -> None:
    paid()
    payments = waiting(PAGE + 3)
    logged_in = browser()
    answer = logged_in.get(QUEUE)
    listing: Any = answer.context["cl"]
    assert [str(row.pk) for row in listing.result_list] == payments[:PAGE]
    assert "Less urgent" in text(answer)
    assert listing.paginator.previous is None
    listing = logged_in.get(QUEUE + listing.paginator.following).context["cl"]
    assert [str(row.pk) for row in listing.result_list] == payments[PAGE:]
    assert rows(logged_in, listing.paginator.previous) == payments[:PAGE]
    assert rows(logged_in, "?after=x") == payments[:PAGE]


def test_the_queue_shows_a_part_of_itself() -> None:
    free, mine, theirs, escalated = waiting(4)
    (second,) = waiting(amount=FOUR_EYES["amount"])
    grace, ann = browser(), browser("analyst", "ann")
    do(grace, mine, "claim")
    do(ann, theirs, "claim")
    do(ann, escalated, "escalate", note="Odd.")
    do(ann, second, "approve")
    project()
    for query, found in {
        "": [free, mine, theirs, escalated, second],
        "?standing=free": [free, escalated, second],
        "?standing=mine": [mine],
        "?standing=escalated": [escalated],
        "?standing=second": [second],
        "?standing=nonsense": [],
        "?risk_band__exact=low": [],
        "?currency=usd&four_eyes__exact=1": [second],
        f"?q={free}": [free],
        f"?q={uuid4()}": [],
    }.items():
        assert rows(grace, query) == found, query
    told = text(grace.get(QUEUE))
    assert all(words in told for words in ("Escalated", "Second approval", "ann", "6 days left"))
    # A claim that is over counts as free.
    past = timezone.now() - timedelta(seconds=1)
    PaymentSummary.objects.filter(pk=theirs).update(claimed_until=past, review_deadline=past)
    assert rows(grace, "?standing=free") == [theirs, free, escalated, second]
    assert "overdue" in text(grace.get(QUEUE))


def test_an_empty_queue_is_good_news() -> None:
    assert "Nothing waits for review" in text(browser().get(QUEUE))
    assert "Show all that waits" in text(browser(username="other").get(f"{QUEUE}?standing=mine"))


def test_strangers_see_no_queue() -> None:
    assert Browser().get(QUEUE).status_code == 302
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))
    assert stranger.get(QUEUE).status_code == 403
    assert stranger.post(NEXT, {"key": str(uuid4())}).status_code == 403


def test_the_queue_costs_the_same_however_long_it_is_and_follows_its_index() -> None:
    waiting()
    logged_in = browser()
    logged_in.get(QUEUE)
    with CaptureQueriesContext(connection) as one:
        logged_in.get(QUEUE)
    waiting(12)
    with CaptureQueriesContext(connection) as many:
        logged_in.get(QUEUE)
    statements = [query["sql"] for query in many.captured_queries]
    assert len(statements) == len(one)
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT 1000" not in sql]
    assert not [sql for sql in statements if "OFFSET" in sql]
    (page,) = [sql for sql in statements if f"LIMIT {PAGE + 1}" in sql]
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "payment_by_deadline" in plan
    assert "Sort" not in plan
