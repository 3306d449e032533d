"""Who sees and changes lists, on the page of a payment and on the page of a list."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.customers.models import Customer, Note
from payments.domain.list_items import Item, ListName
from payments.events.models import Event
from payments.events.replay import load
from payments.lists.models import Entry, RiskList
from readmodels import roles
from tests.support.api import ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.lists import AUTHOR, STOLEN, add, archive, at, create, policy_using
from tests.support.policies import propose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

EDITS: Final = {"senior reviewer", "risk manager"}
MANAGES: Final = {"risk manager"}
CARD: Final = {"token": "tok_17", "brand": "visa", "last4": "4242"}
NOTE: Final = {"note": "Case 12"}
CREATED: Final = NOTE | {"name": "mules", "item": "customer"}


@pytest.fixture
def payment() -> UUID:
    submitted = ApiClient().submit(
        card=CARD, country="DE", reference="ORD-2026-17", amount=15_000_00, currency="USD"
    )
    project()
    return UUID(body_of(submitted)["id"])


def page(name: str = STOLEN) -> str:
    return reverse("list", args=[name])


def removal() -> str:
    return reverse("list_remove", args=[STOLEN, Entry.objects.get().pk])


@pytest.mark.parametrize("role", roles.ROLES)
def test_everyone_sees_lists_and_only_some_change_them(role: str) -> None:
    create()
    add("DE")
    logged_in = browser(role)
    changes = {
        reverse("list_create"): (CREATED, MANAGES),
        reverse("list_add", args=[STOLEN]): (NOTE | {"value": "FR"}, EDITS),
        removal(): (NOTE, EDITS),
        reverse("list_archive", args=[STOLEN]): (NOTE, MANAGES),
    }

    overview = logged_in.get(reverse("lists")).content.decode()
    shown = logged_in.get(page()).content.decode()

    assert page() in overview
    for url, (form, allowed) in changes.items():
        assert (url in overview + shown) is (role in allowed)
        assert logged_in.get(url).status_code == (200 if role in allowed else 403)
        assert logged_in.post(url, form).status_code == (302 if role in allowed else 403)


@pytest.mark.parametrize("role", roles.ROLES)
def test_only_those_who_edit_lists_add_from_a_payment(payment: UUID, role: str) -> None:
    create()
    logged_in = browser(role)
    url = reverse("add_to_list", args=[payment])

    shown = logged_in.get(to_payment(payment)).content.decode()
    answer = logged_in.post(url, NOTE | {"to": STOLEN})

    assert (url in shown) is (role in EDITS)
    assert answer.status_code == (302 if role in EDITS else 403)
    assert Entry.objects.count() == (role in EDITS)


def to_payment(payment: UUID) -> str:
    return reverse("admin:readmodels_paymentsummary_change", args=[payment])


def test_list_is_created_filled_and_archived_on_its_pages() -> None:
    logged_in = browser("risk manager")

    answer = logged_in.post(
        reverse("list_create"), NOTE | {"name": "sanctioned", "item": "country"}
    )
    assert answer.headers["Location"] == reverse("lists")
    answer = logged_in.post(
        reverse("list_add", args=["sanctioned"]),
        {"value": "kp", "expires": "31 Dec 2099", "note": "Case 13"},
        follow=True,
    )
    shown = text(answer)

    assert "Added. It takes effect with the next payment." in shown
    assert "KP Case 13 Remove…" in shown
    assert "by grace until 2099-12-31 23:59 UTC" in shown
    assert "Not used by a policy" in shown
    assert "Countries, 1 entry" in text(logged_in.get(reverse("lists")))
    answer = logged_in.post(reverse("list_archive", args=["sanctioned"]), NOTE, follow=True)
    assert "Archived. " in text(answer)
    assert "There is no entry." in text(answer)
    assert logged_in.get(reverse("list_add", args=["sanctioned"])).status_code == 200
    again = logged_in.post(reverse("list_add", args=["sanctioned"]), NOTE | {"value": "IR"})
    assert (again.status_code, "No list" in text(again)) == (409, True)


@pytest.mark.parametrize(
    ("url", "form", "problem"),
    [
        ("list_create", NOTE | {"name": "Mules", "item": "card"}, "lower-case letter"),
        ("list_create", NOTE | {"name": STOLEN, "item": "card"}, "exists already"),
        ("list_create", {"name": "x", "item": "card", "note": ""}, "This field is required."),
        ("list_create", NOTE | {"name": "x", "item": "bins"}, "Select a valid choice"),
        ("list_add", NOTE | {"value": "Germany"}, "A country is its ISO 3166-1 code"),
        ("list_add", NOTE | {"value": "DE"}, "alan added it at 2026-01-05 12:00 UTC."),
        ("list_add", NOTE | {"value": "FR", "expires": "soon"}, "is not a date"),
        ("list_add", NOTE | {"value": "FR", "expires": "2020-01-01"}, "has passed"),
        ("list_add", {"value": "FR", "note": "4242 4242 4242 4242"}, "card number"),
    ],
)
def test_refused_form_names_the_problem_and_keeps_what_was_typed(
    url: str, form: dict[str, str], problem: str
) -> None:
    create()
    add("DE", author=replace(AUTHOR, by=staff("alan")))
    address = reverse(url, args=[STOLEN] if url == "list_add" else [])

    answer = browser("risk manager").post(address, form)

    assert answer.status_code in {200, 409}
    assert problem in text(answer)
    typed = form.get("value") or form["name"]
    assert f'value="{typed}"' in answer.content.decode()
    assert (RiskList.objects.count(), Entry.objects.count()) == (1, 1)


def test_list_in_use_says_which_policy_uses_it() -> None:
    create()
    policy = policy_using(STOLEN)
    propose(policy, staff("ada"))
    logged_in = browser("risk manager")

    shown = logged_in.get(page())
    answer = logged_in.post(reverse("list_archive", args=[STOLEN]), NOTE)

    assert reverse("list_archive", args=[STOLEN]) not in shown.content.decode()
    assert "Used by a policy" in text(shown)
    assert reverse("policy", args=[policy.policy_id]) in shown.content.decode()
    assert answer.status_code == 409
    assert f"risk policy {policy.policy_id[:12]} uses it" in text(answer)


@pytest.mark.parametrize(
    ("item", "label", "key"),
    [
        (Item.CARD, "Visa ending in 4242", "card:{card}"),
        (Item.CUSTOMER, "Customer cu***", "customer:{customer}"),
        (Item.COUNTRY, "Country DE", "country:DE"),
        (Item.REFERENCE_PREFIX, "Reference prefix", "reference_prefix:ORD-2026-"),
    ],
)
def test_part_of_a_payment_is_added_to_the_list_of_its_type(
    payment: UUID, item: Item, label: str, key: str
) -> None:
    create(item=item)
    logged_in = browser()
    url = reverse("add_to_list", args=[payment])
    state = load(PAYMENT_AGGREGATE, payment).state
    assert state is not None
    assert state.card is not None

    shown = logged_in.get(url).content.decode()
    answer = logged_in.post(
        url, NOTE | {"to": STOLEN, "reference_prefix": "ORD-2026-"}, follow=True
    )

    assert f'<optgroup label="{label}">' in shown
    assert "Added to list stolen-cards. It takes effect with the next payment." in text(answer)
    entry = Entry.objects.get()
    assert entry.key == key.format(card=state.card.fingerprint, customer=state.customer_id)
    assert entry.payment_id == payment
    assert (entry.card_last4 == "4242") is (item is Item.CARD)
    assert state.card.fingerprint not in logged_in.get(page()).content.decode()


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"to": STOLEN, "reference_prefix": ""}, "This list needs a prefix of the reference."),
        ({"to": STOLEN, "reference_prefix": "INV-"}, "reference does not begin with this prefix"),
        ({"to": STOLEN, "reference_prefix": "OR"}, "A prefix has 3 to 20 characters."),
        ({"to": "unknown", "reference_prefix": "ORD-"}, "Select a valid choice"),
        ({"to": "", "reference_prefix": "ORD-"}, "This field is required."),
    ],
)
def test_wrong_form_of_a_payment_names_the_problem(
    payment: UUID, form: dict[str, str], problem: str
) -> None:
    create(item=Item.REFERENCE_PREFIX)

    answer = browser().post(reverse("add_to_list", args=[payment]), NOTE | form)

    assert problem in text(answer)
    assert Entry.objects.count() == 0


def test_page_of_a_payment_says_that_no_list_takes_it(payment: UUID) -> None:
    archived = ListName("archived")
    create(archived)
    archive(archived)

    shown = text(browser().get(reverse("add_to_list", args=[payment])))

    assert "There is no list that takes a part of this payment. Create one first." in shown


def test_evidence_shows_the_lists_that_matched_at_the_decision() -> None:
    create()
    add("DE")
    payment = UUID(body_of(ApiClient().submit(country="DE"))["id"])
    add("FR")

    shown = browser().get(to_payment(payment))

    assert "On lists stolen-cards , version 2" in text(shown)
    assert page() in shown.content.decode()


def test_customers_are_shown_masked_and_found_by_reference() -> None:
    acme = ApiClient()
    for reference in ("customer-1", "customer-2"):
        acme.submit(customer_id=reference)
    Customer.objects.filter(reference="customer-1").update(name="Ada Ng")
    create(item=Item.CUSTOMER)
    add(*map(str, Customer.objects.values_list("pk", flat=True)))
    logged_in = browser()

    everyone = text(logged_in.get(page()))
    one = text(logged_in.get(page(), {"q": "customer-2"}))

    assert "A** N*" in everyone
    assert "cu***" in everyone
    assert "A** N*" not in one
    nobody = logged_in.get(page(), {"q": "<b>nobody"})
    assert "&lt;b&gt;nobody is not on this list." in text(nobody)


def test_pages_of_entries_show_each_entry_once() -> None:
    create(item=Item.REFERENCE_PREFIX)
    add(*(f"ORD-{number:03}" for number in range(120)))
    logged_in = browser()

    seen, url = [], page()
    while url:
        answer = logged_in.get(url)
        seen += [row.position for row in answer.context["rows"]]
        links = answer.context["cl"]
        url = page() + links["next_url"] if links["next_url"] else ""
    back = logged_in.get(page() + links["previous_url"]).context

    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)
    assert [row.position for row in back["rows"]] == seen[50:100]
    assert logged_in.get(page(), {"after": "x" * 30}).status_code == 200


def test_expired_entry_and_erased_note_are_shown_as_such() -> None:
    create()
    then = timezone.now() - timedelta(days=2)
    add("DE", author=at(then), expires_at=then + timedelta(days=1))
    Note.objects.all().delete()

    shown = text(browser().get(page()))

    assert "DE Expired The note was erased." in shown
    assert "The comment was erased." in shown


def test_entry_that_was_removed_meanwhile_is_refused() -> None:
    create()
    add("DE")
    url = removal()
    logged_in = browser()
    assert logged_in.post(url, NOTE).status_code == 302

    answer = logged_in.post(url, NOTE)

    assert (answer.status_code, "It is not on list" in text(answer)) == (409, True)


@pytest.mark.parametrize(
    "url",
    [
        "/admin/list/unknown/",
        "/admin/list/unknown/add/",
        "/admin/list/unknown/archive/",
        "/admin/list/stolen-cards/remove/1/",
        "/admin/list/stolen-cards/add/",
        f"/admin/payments/{UUID(int=1)}/add-to-list/",
    ],
)
def test_page_of_what_does_not_exist_is_not_found(url: str) -> None:
    """A list of cards has no page to add one either, because card numbers must not be typed."""
    create(item=Item.CARD)

    assert browser("risk manager").get(url).status_code == 404


def test_event_of_a_list_links_to_the_lists() -> None:
    create()
    project()

    shown = browser().get(reverse("admin:readmodels_eventindex_changelist")).content.decode()

    assert f'href="{reverse("lists")}">Lists</a>' in shown
    assert Event.objects.get().event_type == "list.created"


def test_entry_with_special_characters_is_shown_as_typed() -> None:
    """Regression: the confirmation showed &amp;amp; for an ampersand."""
    create(item=Item.REFERENCE_PREFIX)
    add("A&B<i>")
    logged_in = browser()

    listed = logged_in.get(page()).content.decode()
    confirmation = logged_in.get(removal()).content.decode()

    assert ">A&amp;B&lt;i&gt;</bdi>" in listed
    assert (
        "<p>From the next payment on, A&amp;B&lt;i&gt; no longer matches the list." in confirmation
    )


def test_lists_in_use_come_first() -> None:
    for name in ("alpha", "beta", "gamma"):
        create(ListName(name))
    archive(ListName("alpha"))

    found = browser().get(reverse("lists")).context["lists"]

    assert [each.name for each, _ in found] == ["beta", "gamma", "alpha"]
