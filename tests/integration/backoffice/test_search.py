"""A single search box finds payments and customers by any detail that people have at hand."""

from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from payments.customers import refilling
from payments.customers.models import Customer
from readmodels.admin.base.browsing import PAGE
from readmodels.models import PaymentSummary
from readmodels.queries.search import places
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PAYMENTS_LIST: Final = "readmodels_paymentsummary"
CUSTOMERS_LIST: Final = "customers_customer"
NAME: Final = "Giulia Moretti-O'Connor 山田太郎 محمد علی"
CONTACTS: Final = ("--email", "Giulia.M@Example.com", "--phone", "+39 333 1234567")
_logged_in = Browser()
CARD: Final = {"token": "tok_1", "brand": "visa", "last4": "4242"}


@pytest.fixture
def payment() -> str:
    """Return Giulia's payment of USD 18,900.00. No search should find the one before it."""
    acme = ApiClient()
    acme.submit(customer_id="other", reference="invoice-1", currency="JPY", amount=777)
    answer = acme.submit(
        customer_id="Client-Giulia",
        reference="ORDER-27626-223",
        currency="USD",
        amount=18_900_00,
        card=CARD,
    )
    call_command("customer", "rename", "Acme", "other", "--name", "Gianni Rossi")
    call_command("customer", "rename", "Acme", "Client-Giulia", "--name", NAME, *CONTACTS)
    project()
    payment: str = body_of(answer)["id"]
    return payment


@pytest.fixture(autouse=True)
def analyst() -> None:
    global _logged_in  # noqa: PLW0603
    _logged_in = browser("analyst", "searching")


def listed(name: str, **query: str) -> Any:
    answer = _logged_in.get(reverse(f"admin:{name}_changelist"), query)
    assert answer.status_code == 200
    return answer


def found(name: str, typed: str, **query: str) -> list[str]:
    listing = listed(name, q=typed, **query).context["cl"]
    return [str(row.pk) for row in listing.result_list]


PEOPLE: Final = [
    "moretti",
    "MORETTI",
    "Morétti",
    "moret",
    "Moretti Giulia",
    "giulia moret",
    "oconnor",
    "O'Connor",
    "o’connor",
    "Moretti-O'Connor",
    "太郎",
    "山田",
    "محمد",
    "علي",
    "giulia.m@example.com",
    "GIULIA.M@",
    "giulia.m",
    "+39 333 1234567",
    "0039-333-1234567",
    "(333) 123 45 67",
    "4567",
    "Client-Giulia",
    "CLIENT-GIU",
]


def test_payment_and_customer_are_found_by_the_customer(payment: str) -> None:
    customer = str(PaymentSummary.objects.get(pk=payment).customer_id)

    for typed in PEOPLE:
        assert found(PAYMENTS_LIST, typed) == [payment], typed
        assert found(CUSTOMERS_LIST, typed) == [customer], typed


OWN: Final = [
    "order-27626",
    "ORDER-27626-223",
    "oRdEr-2",
    "4242",
    "•••• 4242",
    "18,900.00",
    "18900",
    "$18,900",
    "USD 18.900,00",
    "١٨٩٠٠",
]


def test_payment_is_found_by_its_own_data(payment: str) -> None:
    for typed in OWN:
        assert found(PAYMENTS_LIST, typed) == [payment]


@pytest.mark.parametrize("length", [6, 8, 9, 20, 36])
def test_payment_and_customer_are_found_by_the_beginning_of_an_id(
    payment: str, length: int
) -> None:
    customer = str(PaymentSummary.objects.get(pk=payment).customer_id)

    assert found(PAYMENTS_LIST, payment[:length].upper()) == [payment]
    assert found(PAYMENTS_LIST, customer[:length]) == [payment]
    assert found(CUSTOMERS_LIST, customer[:length].upper()) == [customer]


MISSING: Final = [
    "moretti rossi",
    "oretti",
    "giulia nobody",
    "777.00 EUR",
    "EUR 18,900",
    "4243",
    "27626",
    "%",
    "_",
]


def test_nothing_is_found_if_not_all_of_it_matches(payment: str) -> None:
    for typed in MISSING:
        assert found(PAYMENTS_LIST, typed) == []
        assert found(CUSTOMERS_LIST, typed) == []


def test_empty_result_says_what_was_searched(payment: str) -> None:
    page = text(listed(PAYMENTS_LIST, q="18,901.00"))

    assert "Searched as: amount 18,901.00 in any currency beginning of a reference" in page
    assert "Nothing matches" in page


def test_result_says_which_reading_matched_and_can_be_narrowed(payment: str) -> None:
    acme = ApiClient("Bolt")
    acme.submit(reference="4242-7")
    project()
    answer = listed(PAYMENTS_LIST, q="4242")
    readings = {each["label"]: each for each in answer.context["cl"].readings()}

    assert len(answer.context["cl"].result_list) == 2
    assert [label for label, each in readings.items() if each["found"]] == [
        "last four digits of a card",
        "beginning of a reference",
    ]
    assert found(PAYMENTS_LIST, "4242", **{"as": "card"}) == [payment]
    assert len(found(PAYMENTS_LIST, "4242", **{"as": "nonsense"})) == 2
    chosen = listed(PAYMENTS_LIST, q="4242", **{"as": "card"})
    assert "Found as: last four digits of a card show all" in text(chosen)


def test_search_is_narrowed_by_filters(payment: str) -> None:
    assert found(PAYMENTS_LIST, "moretti", currency="USD") == [payment]
    assert found(PAYMENTS_LIST, "moretti", currency="EUR") == []
    assert found(PAYMENTS_LIST, "moretti", currency="nonsense") == []


HOSTILE: Final = [
    "x" * 3_000,
    "太" * 1_000,
    "a-" * 500,
    "%_%",
    "\\",
    "'; DROP TABLE x; --",
    "' | 'n:a",
    "a & b | !c <-> (d):*",
    "n:moretti",
    "a\0b",
    "\u202egiulia\u202c",
    "\U0010ffff",
    "\u200d",
    "😀",
    "9" * 400,
    "1" + ",000" * 200,
    "-" * 36,
    "@" * 300,
    "a@" + "b" * 900,
]


def test_hostile_text_is_answered(payment: str) -> None:
    for typed in HOSTILE:
        for name in (PAYMENTS_LIST, CUSTOMERS_LIST):
            listed(name, q=typed)


def test_lone_surrogate_is_answered(payment: str) -> None:
    url = reverse(f"admin:{PAYMENTS_LIST}_changelist")

    assert browser().get(f"{url}?q=%ED%A0%80x").status_code == 200


def test_renamed_customer_is_found_by_the_new_name_only(payment: str) -> None:
    call_command("customer", "rename", "Acme", "Client-Giulia", "--name", "Ada Ng")

    assert found(PAYMENTS_LIST, "moretti") == []
    assert found(PAYMENTS_LIST, "ng ada") == [payment]
    assert found(PAYMENTS_LIST, "giulia.m@example.com") == [payment]


def test_erased_customer_is_found_by_reference_only(payment: str) -> None:
    call_command("erase_customer", "Acme", "Client-Giulia", "--reason", "Request 1", "--yes")

    for typed in PEOPLE[:-2]:
        assert found(PAYMENTS_LIST, typed) == []
    assert found(PAYMENTS_LIST, "client-giulia") == []
    assert found(PAYMENTS_LIST, "Client-Giulia") == [payment]
    assert Customer.objects.filter(words__isnull=False).count() == 1


def test_pages_of_a_search_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = ApiClient()
    for number in range(PAGE + 5):
        acme.submit(customer_id=f"c-{number % 3}", reference=f"5555-{number}", card=CARD)
    for number in range(3):
        call_command("customer", "rename", "Acme", f"c-{number}", "--phone", f"+39 33{number} 4242")
    project()
    logged_in, seen, url = browser(), [], "?q=4242"

    while url:
        listing: Any = logged_in.get(reverse(f"admin:{PAYMENTS_LIST}_changelist") + url).context[
            "cl"
        ]
        seen += [row.pk for row in listing.result_list]
        url = listing.next_url

    assert seen == list(PaymentSummary.objects.values_list("pk", flat=True))
    previous: Any = logged_in.get(
        reverse(f"admin:{PAYMENTS_LIST}_changelist") + listing.previous_url
    ).context["cl"]
    assert [row.pk for row in previous.result_list] == seen[:PAGE]


def test_search_that_finds_too_many_customers_says_so(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST", 1)
    for name in ("other", "Client-Giulia"):
        call_command("customer", "rename", "Acme", name, "--name", f"Maria {name}")

    answer = listed(CUSTOMERS_LIST, q="maria")

    assert len(answer.context["cl"].result_list) == 1
    assert "Only the first 1 matching customers are shown. Add another word." in text(answer)
    assert len(found(CUSTOMERS_LIST, "maria other")) == 1


def test_queue_is_searched_in_its_order(payment: str) -> None:
    acme = ApiClient()
    ids = [
        body_of(
            acme.post(
                PAYMENTS,
                {
                    "amount": 1_500_000,
                    "currency": "USD",
                    "method": "credit_card",
                    "customer_id": f"risky-{n}",
                },
            )
        )["id"]
        for n in range(3)
    ]
    project()

    for typed in ("risky", "15,000.00"):
        answer = _logged_in.get(reverse("review_queue"), {"q": typed})
        listing: Any = answer.context["cl"]
        assert [str(row.pk) for row in listing.result_list] == ids


def test_search_page_shows_payments_and_customers(payment: str) -> None:
    logged_in = browser()

    page = logged_in.get(reverse("search_all"), {"q": "MORETTI"})

    payments, customers = page.context["sections"]
    assert [str(each["id"]) for each in payments.lines] == [payment]
    assert [each["customer"].reference for each in customers.lines] == ["Client-Giulia"]
    assert "Found as: words of a customer&#x27;s name" in text(page)
    empty = text(logged_in.get(reverse("search_all"), {"q": "18,901.00"}))
    assert "Nothing found. Searched as: amount 18,901.00 in any currency" in empty
    card = text(logged_in.get(reverse("search_all"), {"q": "4111 1111 1111 1111"}))
    assert "This looks like a card number." in card


@pytest.mark.parametrize("typed", ["", " ", "\0", "x" * 3_000, "%", "\u202e"])
def test_search_page_answers_unusual_text(payment: str, typed: str) -> None:
    assert browser().get(reverse("search_all"), {"q": typed}).status_code == 200


def test_search_page_shows_only_what_the_person_may_see(payment: str) -> None:
    someone = get_user_model().objects.create(username="someone", is_staff=True)
    logged_in = Browser()
    logged_in.force_login(someone)
    query = {"q": "moretti"}

    assert logged_in.get(reverse("search_all"), query).status_code == 403
    assert 'role="search"' not in logged_in.get(reverse("admin:index")).content.decode()
    someone.user_permissions.add(Permission.objects.get(codename="view_customer"))
    (section,) = logged_in.get(reverse("search_all"), query).context["sections"]
    assert section.title == "Customers"
    assert Browser().get(reverse("search_all"), query).status_code == 302


@pytest.mark.parametrize("name", ["admin:index", "review_queue", "policies"])
def test_header_has_the_search_in_place_of_the_palette(payment: str, name: str) -> None:
    page = browser().get(reverse(name)).content.decode()

    assert f'action="{reverse("search_all")}"' in page
    assert "searchCommand" not in page


def test_refill_finds_customers_that_were_stored_without_words(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Customer.objects.update(words=None)
    assert found(CUSTOMERS_LIST, "moretti") == []
    monkeypatch.setattr(refilling, "_BATCH", 1)

    assert refilling.refill(Customer) == 2

    assert len(found(CUSTOMERS_LIST, "moretti")) == 1
    assert len(found(CUSTOMERS_LIST, "gianni")) == 1
