"""Customers' personal data are masked on screens and in exports until revealed for a purpose."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from msgspec import Struct

from payments.customers import changes
from payments.customers.models import Customer, Note
from payments.domain.list_items import Item
from payments.events.models import Event
from readmodels.admin.base import contacts
from readmodels.exports.models import Kind
from tests.support import exports, lists
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser, reveal, text
from tests.support.crawling import crawl
from tests.support.disputing import opening
from tests.support.examples import OPERATOR
from tests.support.reviewing import payment_page, waiting
from tests.support.routing import staff
from tests.support.second_factors import age, code, enroll, member, signed_in
from tests.support.second_reviews import approve

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Seeded(Struct, frozen=True):
    """A customer with a payment in review. `secrets` identify the customer or its payments."""

    word: str
    customer_id: UUID
    payment: str
    secrets: tuple[str, ...]


def seed(word: str, digits: str) -> Seeded:
    reference = f"{word}-cust-41"
    (payment,) = waiting(customer_id=reference, reference=f"{word}-pay-1")
    customer = Customer.objects.get(reference=reference)
    given = {
        "name": f"Vera {word}son",
        "email": f"v.{word}@hidden.example",
        "phone": f"+4915{digits}",
    }
    changes.rename(customer.pk, given, by=OPERATOR)
    numbers = ("cust-41", "pay-1", "pay-2", "pay-3", "refund-9")
    secrets = (f"{word}son", f"v.{word}", digits, *(f"{word}-{each}" for each in numbers))
    return Seeded(word, customer.pk, payment, secrets)


def add_history(seeded: Seeded) -> None:
    """Add a payment with a second review, a refunded and disputed payment, and a list entry."""
    acme, word = ApiClient(), seeded.word
    (decided,) = waiting(customer_id=f"{word}-cust-41", reference=f"{word}-pay-2")
    approve(decided, staff("ben"))
    small = acme.submit(customer_id=f"{word}-cust-41", reference=f"{word}-pay-3")
    page = f"{PAYMENTS}/{body_of(small)['id']}"
    refund = {
        "reason": "duplicate",
        "amount": 1,
        "currency": "EUR",
        "reference": f"{word}-refund-9",
    }
    for path, body in (("refunds", refund), ("disputes", opening())):
        answer = acme.post(f"{page}/{path}", body)
        assert answer.status_code < 300, answer.content
    lists.create(item=Item.CUSTOMER)
    lists.add(str(seeded.customer_id))
    project()


@pytest.fixture(autouse=True)
def all_chosen(settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT = 100


@pytest.fixture
def ada() -> Seeded:
    return seed("quillwater", "155566677")


@pytest.fixture
def bob() -> Seeded:
    return seed("zephyrmont", "133344455")


def person(role: str) -> Browser:
    if role != "superuser":
        return browser(role, f"crawler-{role.replace(' ', '-')}")
    root = get_user_model().objects.create(username="root", is_staff=True, is_superuser=True)
    logged_in = Browser()
    logged_in.force_login(root)
    return logged_in


def pages(logged_in: Browser, each: Seeded) -> dict[str, str]:
    """Return every page that the person reaches from the menu, by a search and by exports."""
    found = crawl(
        logged_in,
        "/admin/",
        "/admin/find/?q=Vera",
        payment_page(each.payment),
        customer_page(each),
        reverse("admin:customer_rename", args=[each.customer_id]),
    )
    for kind in set(Kind.values) - {Kind.EVIDENCE}:
        found[f"export {kind}"] = exports.export(logged_in, kind).getvalue().decode()
    return found


def customer_page(each: Seeded) -> str:
    return reverse("admin:customers_customer_change", args=[each.customer_id])


def shown(found: Mapping[str, str], *seeded: Seeded) -> Iterator[tuple[str, str]]:
    """Yield the URL of each page that shows a secret, with the secret."""
    for address, content in found.items():
        for each in seeded:
            yield from ((address, secret) for secret in each.secrets if secret in content.lower())


nightly = pytest.mark.nightly


@pytest.mark.parametrize(
    "role",
    [
        "viewer",
        "senior reviewer",
        pytest.param("analyst", marks=nightly),
        pytest.param("risk manager", marks=nightly),
        pytest.param("auditor", marks=nightly),
        pytest.param("superuser", marks=nightly),
    ],
)
def test_no_page_or_export_shows_personal_data_unrevealed(ada: Seeded, role: str) -> None:
    add_history(ada)

    found = pages(person(role), ada)

    assert list(shown(found, ada)) == []
    paths = {address.partition("?")[0] for address in found}
    assert payment_page(ada.payment) in paths
    assert len(paths) > (20 if role == "viewer" else 60)
    events = [path for path in paths if "/eventindex/" in path]
    assert (len(events) > 10) == (role != "viewer")


def test_reveal_shows_one_customer_to_one_session(ada: Seeded, bob: Seeded) -> None:
    grace, elsewhere = person("analyst"), Browser()
    elsewhere.force_login(get_user_model().objects.get(username="crawler-analyst"))
    before = text(grace.get(payment_page(ada.payment)))

    answer = reveal(grace, ada.customer_id)

    assert answer.headers["Location"] == customer_page(ada)
    assert "Reveal…" in before
    for page in (customer_page(ada), payment_page(ada.payment)):
        here, there = (text(each.get(page)) for each in (grace, elsewhere))
        assert "Vera quillwaterson" in here
        assert "+4915155566677" in here
        assert "quillwater-cust-41" in here
        assert list(shown({page: there}, ada)) == []
    assert "quillwater-pay-1" in text(grace.get(payment_page(ada.payment)))
    assert list(shown(pages_of(grace, bob), bob)) == []
    listed = grace.get(reverse("admin:customers_customer_changelist")).content.decode()
    assert list(shown({"list": listed}, ada)) == []


def pages_of(logged_in: Browser, each: Seeded) -> dict[str, str]:
    addresses = (customer_page(each), payment_page(each.payment))
    return {address: logged_in.get(address).content.decode() for address in addresses}


def test_reveal_ends_after_ten_minutes_and_with_the_permission(ada: Seeded) -> None:
    grace = person("analyst")
    reveal(grace, ada.customer_id)
    user = get_user_model().objects.get(username="crawler-analyst")
    customer = Customer.objects.get(pk=ada.customer_id)
    request = HttpRequest()
    request.session, request.user = grace.session, user
    at = timezone.now()

    assert contacts.shown_until(request, customer, at=at + timedelta(minutes=9))
    assert contacts.shown_until(request, customer, at=at + timedelta(minutes=10)) is None

    user.groups.clear()
    assert list(shown(pages_of(grace, ada), ada)) == []


def test_old_form_does_not_show_the_customer_again(ada: Seeded) -> None:
    grace, key = person("analyst"), str(uuid4())
    reveal(grace, ada.customer_id, key=key)
    session = grace.session
    session["revealed"] = {}
    session.save()

    reveal(grace, ada.customer_id, key=key)

    until = grace.session["revealed"][str(ada.customer_id)]
    (event,) = Event.objects.filter(event_type="customer.revealed")
    assert until - event.occurred_at.timestamp() == pytest.approx(600)


def test_roles_without_the_permission_cannot_reveal(ada: Seeded) -> None:
    for role in ("viewer", "auditor"):
        logged_in = person(role)

        answer = reveal(logged_in, ada.customer_id)

        assert answer.status_code == 403
        assert "Reveal…" not in text(logged_in.get(customer_page(ada)))
    assert not Event.objects.filter(event_type="customer.revealed").exists()


def test_incomplete_purpose_reveals_nothing(ada: Seeded) -> None:
    grace = person("analyst")
    wrong = [
        ({"purpose": ""}, "This field is required."),
        ({"purpose": "curiosity"}, "Select a valid choice."),
        ({"purpose": "other"}, "State the purpose in the note."),
        ({"purpose": "other", "note": "Card 4242424242424242"}, "card number"),
        ({"key": "x"}, "The form was incomplete. Open it again."),
    ]

    for given, error in wrong:
        assert error in text(reveal(grace, ada.customer_id, **given))

    assert list(shown(pages_of(grace, ada), ada)) == []
    assert not Event.objects.filter(event_type="customer.revealed").exists()
    assert not Note.objects.filter(customer_id=ada.customer_id).exists()


def test_reveal_asks_for_a_recent_second_factor(ada: Seeded) -> None:
    user, now = member("grace", "analyst"), timezone.now()
    enroll(user, at=now)
    grace = signed_in(user)
    grace.post("/admin/second-factor/?next=/admin/", {"code": code(now)})
    age(grace, second_factor_at=timedelta(minutes=16))

    asked = reveal(grace, ada.customer_id)

    assert asked.headers["Location"].startswith("/admin/second-factor/")
    assert not Event.objects.filter(event_type="customer.revealed").exists()


def test_form_of_the_details_asks_for_a_reveal_first(ada: Seeded) -> None:
    manager = person("risk manager")
    address = reverse("admin:customer_rename", args=[ada.customer_id])

    asked = manager.get(address)
    reveal(manager, ada.customer_id)

    assert "/reveal/?next=" in asked.headers["Location"]
    assert "v.quillwater@hidden.example" in manager.get(address).content.decode()


@pytest.mark.parametrize("sent", [{"restore": "1"}, {"phone": "123"}], ids=["restored", "refused"])
def test_form_of_the_details_shows_only_typed_text_after_the_reveal(
    ada: Seeded, sent: dict[str, str]
) -> None:
    manager = person("risk manager")
    customer = Customer.objects.get(pk=ada.customer_id)
    details = {name: str(getattr(customer, name)) for name in ("name", "email", "phone")}
    opened = details | {f"initial-{name}": value for name, value in details.items()}

    answer = manager.post(
        reverse("admin:customer_rename", args=[ada.customer_id]),
        opened | {"name": "Vera Maple"} | sent,
    )

    page = answer.content.decode()
    assert 'value="Vera Maple"' in page
    assert "The reveal has ended. Empty fields stay unchanged." in text(answer)
    assert list(shown({"form": page}, ada)) == []
    assert ("Enter a telephone number" in page) == ("phone" in sent)


def test_auditors_see_who_revealed_what_and_are_warned_of_excess(
    ada: Seeded, settings: Any
) -> None:
    settings.REVEALS_PER_HOUR = 1
    grace, gus = person("analyst"), person("auditor")
    for note in ("Found a wallet", "Found another one"):
        reveal(grace, ada.customer_id, purpose="other", note=note)
    project()
    accesses = reverse("admin:readmodels_personalaccess_changelist")

    page = text(gus.get(accesses, {"customer": str(ada.customer_id), "by": "crawler-analyst"}))

    assert f"{accesses}?customer={ada.customer_id}" in gus.get(customer_page(ada)).content.decode()
    assert page.count("name, email, phone, reference") == 2
    assert "V*** q********" in page
    assert "Found another one" in page
    assert "crawler-analyst revealed data 2 times in the last hour. The limit is 1." in page
    assert grace.get(accesses).status_code == 403
    metrics = Browser().get("/metrics").content.decode()
    assert "payments_personal_data_reveals 2.0" in metrics
    assert "payments_personal_data_people_over_limit 1.0" in metrics
