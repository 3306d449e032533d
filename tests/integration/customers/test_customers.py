"""Customers: names, contacts, blocks and searches."""

import html
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.customers import blocking, contacts
from payments.customers.models import Blocking, Customer
from payments.customers.registry import CustomerError
from payments.domain.customer import BlockReason
from payments.events.models import Event
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, reveal, text
from tests.support.concurrency import at_once
from tests.support.examples import NOON, OPERATOR
from tests.support.second_factors import age, code, enroll, member, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:customers_customer_changelist"
WHO = ("Acme", "customer-123")
FRAUD = ("--reason", "suspected_fraud")


@pytest.fixture
def customer() -> Customer:
    ApiClient().submit()
    return Customer.objects.get()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("customer", *arguments, stdout=out)
    return out.getvalue()


def page(customer: Customer, name: str = "customers_customer_change") -> str:
    return reverse(f"admin:{name}", args=[customer.pk])


def test_customer_command_shows_renames_and_blocks(customer: Customer) -> None:
    output = run("rename", *WHO, "--name", "Ada Ng", "--phone", "+49 (151) 234-567.89")
    assert "Name        Ada Ng\n" in output
    assert "Telephone   +4915123456789\n" in output
    assert "E-mail      not known\n" in output
    assert "Name        not known\n" in run("rename", *WHO, "--name", "")
    assert "Blocked     yes\n" in run("block", *WHO, *FRAUD, "--note", "Case 12")
    client_id = str(customer.client_id)
    output = run("show", client_id, "customer-123")
    assert "blocked by system:manage.py:" in output
    assert "suspected_fraud, Case 12" in output
    unblock = ("unblock", *WHO, "--reason", "cleared", "--note", "Called back")
    assert "Blocked     no\n" in run(*unblock)


@pytest.mark.parametrize(
    ("arguments", "complaint", "status"),
    [
        (("show", "Nobody", "x"), "There is no client 'Nobody'", 1),
        (("show", "Acme", "customer-124"), "Acme has no customer with this reference", 1),
        (("rename", *WHO), "Give --name, --email or --phone", 2),
        (("rename", *WHO, "--name", "x" * 201), "--name: The text must have at most 200", 2),
        (("rename", *WHO, "--name", "a\nb"), r"--name: .* U\+000A at position 2", 2),
        (("rename", *WHO, "--name", "4111 1111 1111 1111"), "--name: .* card number", 2),
        (("rename", *WHO, "--email", "4111111111111111@x.org"), "--email: .* card number", 2),
        (("rename", *WHO, "--email", "ada"), "--email: Enter a valid e-mail address", 2),
        (("rename", *WHO, "--phone", "0151 23456789"), "--phone: Enter a telephone number", 2),
        (("rename", *WHO, "--phone", "+4111111111111111"), "--phone: Enter a telephone number", 2),
        (("rename", *WHO, "--phone", "+378282246310005"), "--phone: Enter a telephone number", 2),
        (("block", *WHO, "--reason=x", "--note=x"), "--reason: Choose one of suspected_fraud", 2),
        (("block", *WHO, *FRAUD, "--note", " "), "--note: The text must not be empty", 2),
        (("block", *WHO, *FRAUD, "--note", "5555555555554444"), "--note: .* card number", 2),
        (("unblock", *WHO, "--reason", "cleared", "--note", "x"), "The customer is not blocked", 1),
    ],
)
def test_customer_command_reports_an_error_in_one_line(
    customer: Customer, arguments: tuple[str, ...], complaint: str, status: int
) -> None:
    with pytest.raises(CommandError, match=complaint) as refused:
        run(*arguments)
    assert refused.value.returncode == status
    after = Customer.objects.get()
    assert (after.name, after.email, after.phone, after.blocked) == ("", "", "", False)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+49 (0)151 234-567/89", "+4915123456789"),
        ("+49 0151 23456789", "+4915123456789"),
        ("+49 30 90 18 20", "+4930901820"),
        ("+43 (0)664 / 1234567", "+436641234567"),
        ("+43 1 58858-0", "+431588580"),
        ("+62 (0)812-3456-7890", "+6281234567890"),
        ("+62 21 1234567", "+62211234567"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+44 7700 900123", "+447700900123"),
        ("+1 (212) 555-0123", "+12125550123"),
        ("+1.212.555.0123", "+12125550123"),
        ("+39 06 698 21000", "+390669821000"),
        ("+86 139 1234 5678", "+8613912345678"),
        ("＋４９ 151 23456789", "+4915123456789"),
    ],
)
def test_phone_number_is_stored_in_e164(typed: str, stored: str) -> None:
    assert contacts.checked("phone", typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "0151 23456789",
        "0049 151 23456789",
        "+1 555 0123",
        "+1 212 555 0123 ext. 5",
        "+1 800 FLOWERS",
        "+49 151 23456789 Ada",
        "+49 151 23456789 / +49 30 901820",
        "+4951",
        "+999 123456789",
        "+4915123456789012",
    ],
)
def test_phone_number_that_is_incomplete_is_refused(typed: str) -> None:
    with pytest.raises(contacts.ContactError, match="with its country code") as refused:
        contacts.checked("phone", typed)

    assert refused.value.field == "phone"
    assert typed not in str(refused.value)


def test_concurrent_blocks_name_the_first_one(customer: Customer) -> None:
    def block(number: int) -> str:
        try:
            blocking.change(
                customer.pk,
                reason=BlockReason.CHARGEBACKS,
                note=f"Case {number}",
                by=OPERATOR,
                at=NOON,
            )
        except CustomerError as error:
            return str(error)
        return ""

    answers = sorted(at_once(8, block))
    late = f"The customer was already blocked by {OPERATOR} at 2026-01-05 12:00 UTC."
    assert answers == ["", *[late] * 7]
    assert Blocking.objects.count() == 1


@pytest.mark.slow
def test_rename_page_changes_name_and_contacts_only(customer: Customer) -> None:
    form = {
        "name": "Grace Hopper",
        "email": "grace@navy.example",
        "phone": "",
        "reference": "other",
    }
    url = page(customer, "customer_rename")
    for role, name in (("analyst", "ann"), ("senior reviewer", "sue"), ("auditor", "al")):
        logged_in = browser(role, name)
        assert "Rename" not in text(logged_in.get(page(customer)))
        assert logged_in.post(url, form).status_code == 403
    manager = browser("risk manager")
    reveal(manager, customer.pk)
    assert "cu***" in text(manager.get(url))
    assert "Details saved." in text(manager.post(url, form, follow=True))
    customer.refresh_from_db()
    assert (customer.name, customer.email, customer.reference) == (
        "Grace Hopper",
        "grace@navy.example",
        "customer-123",
    )
    refused = manager.post(url, form | {"email": "nonsense"})
    assert "Enter a valid e-mail address, like ada@example.com." in text(refused)
    assert LogEntry.objects.count() == 0  # because the log would keep the name


def test_concurrent_renames_keep_the_fields_of_both(
    customer: Customer,
) -> None:
    Customer.objects.update(name="Ada Ng", email="old@x.org", phone="+4915123456789")
    url = page(customer, "customer_rename")
    first, second = browser("risk manager", "dora"), browser("risk manager", "emil")
    for each in (first, second):
        reveal(each, customer.pk)
    shown, later = sent_by(first.get(url)), sent_by(second.get(url))
    second.post(url, later | {"email": "new@x.org", "phone": ""})
    assert "Details saved." in text(first.post(url, shown | {"name": "Ada Lovelace"}, follow=True))
    customer.refresh_from_db()
    assert (customer.name, customer.email, customer.phone) == ("Ada Lovelace", "new@x.org", "")
    assert "Nothing was changed." in text(first.post(url, shown, follow=True))


def sent_by(answer: Any) -> dict[str, str]:
    """Return the fields that the page's form sends if nothing is typed."""
    inputs = re.findall(r"<input [^>]*>", answer.content.decode())
    named = [(re.search(r' name="([^"]+)"', each), each) for each in inputs]
    values = {found[1]: re.search(r' value="([^"]*)"', each) for found, each in named if found}
    return {name: html.unescape(value[1]) if value else "" for name, value in values.items()}


@pytest.mark.slow
def test_erase_page_asks_for_a_recent_second_factor_and_erases(customer: Customer) -> None:
    user, now = member("root"), timezone.now()
    get_user_model().objects.filter(pk=user.pk).update(is_superuser=True)
    enroll(user, at=now)
    root = signed_in(user)
    root.post("/admin/second-factor/?next=/admin/", {"code": code(now)})
    url, form = page(customer, "customer_erase"), {"reason": "Request 2026-17"}
    manager = browser("risk manager", "dora")

    age(root, second_factor_at=timedelta(minutes=16))
    asked = root.post(url, form)
    age(root, second_factor_at=-timedelta(minutes=16))
    named = root.post(url, {"reason": "customer-123 asked"})
    before = Customer.objects.get().reference
    erased = root.post(url, form, follow=True)

    assert asked.headers["Location"].startswith("/admin/second-factor/")
    assert (named.status_code, before) == (409, "customer-123")
    assert "Change the reason. It names the customer" in text(named)
    assert "The customer&#x27;s data were erased." in text(erased)
    assert "Reason Request 2026-17" in text(erased)
    assert "Erase…" not in text(erased)
    assert Customer.objects.get().reference is None
    assert root.post(url, form).status_code == 409
    assert manager.post(url, form).status_code == 403
    assert "Erase…" not in text(manager.get(page(customer)))


@pytest.mark.slow
def test_block_page_blocks_and_unblocks_a_customer(customer: Customer) -> None:
    project()
    senior = browser()
    url = page(customer, "customer_block")
    form = {"reason": "chargebacks", "note": "Case <12>"}
    assert browser("analyst", "ann").post(url, form).status_code == 403
    for field in form:
        assert "This field is required" in text(senior.post(url, form | {field: ""}))
    answer = text(senior.post(url, form, follow=True))
    for words in ("Blocked: chargebacks", "Case &lt;12&gt;", "by grace", "19.99"):
        assert words in answer
    again = senior.post(url, form, follow=True)
    assert again.status_code == 409
    assert "The customer was already blocked by grace at " in text(again)
    assert 'value="Case &lt;12&gt;"' in again.content.decode()
    event = Event.objects.get(event_type="customer.blocked")
    log = senior.get(reverse("admin:readmodels_eventindex_change", args=[event.position]))
    assert f'href="{page(customer)}"' in log.content.decode()
    listed = senior.get(reverse(LIST), {"blocked__exact": "1"})
    assert len(listed.context["cl"].result_list) == 1
    payment = customer_payment_page()
    assert "blocked" in text(senior.get(payment))
    lift = {"reason": "cleared", "note": "Called back"}
    done = senior.post(page(customer, "customer_unblock"), lift, follow=True)
    assert "Customer unblocked." in text(done)
    assert len(senior.get(reverse(LIST), {"blocked__exact": "1"}).context["cl"].result_list) == 0


def customer_payment_page() -> str:
    from readmodels.models import PaymentSummary

    payment = PaymentSummary.objects.get()
    return reverse("admin:readmodels_paymentsummary_change", args=[payment.pk])


def test_pages_of_an_unknown_customer_are_404() -> None:
    manager = browser("risk manager")
    nobody = Customer(pk="00000000-0000-0000-0000-000000000000")
    for name in ("customer_rename", "customer_block", "customer_unblock"):
        assert manager.get(page(nobody, name)).status_code == 404
    assert manager.get(page(nobody)).status_code == 404
    assert manager.get("/admin/customers/customer/nonsense/change/").status_code == 404


@pytest.mark.slow
def test_list_of_blocked_customers_uses_an_index() -> None:
    client = ApiClient()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_customer (id, client_id, reference, name, email, created_at)"
            " SELECT gen_random_uuid(), %s, 'r' || n, 'Name ' || n, '', now()"
            "   FROM generate_series(1, 20000) AS n",
            [client.client_id],
        )
        cursor.execute("ANALYZE customers_customer")
    logged_in = browser()
    with CaptureQueriesContext(connection) as captured:
        logged_in.get(reverse(LIST), {"blocked__exact": "1"})
    (listing,) = [
        each["sql"]
        for each in captured.captured_queries
        if 'FROM "customers_customer"' in each["sql"] and "LIMIT 51" in each["sql"]
    ]

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + listing)
        plan: Any = "\n".join(row[0] for row in cursor.fetchall())

    assert "customer_blocked" in plan, plan


@pytest.mark.parametrize(
    ("field", "pasted", "stored"),
    [
        ("phone", "\u202a+49\u00a0(0)151\u2011234\u202f56\u2013789\u202c", "+4915123456789"),
        ("phone", "+62 812-3456-7890\u200e", "+6281234567890"),
        ("name", "山田\u3000太郎", "山田 太郎"),
        ("name", "علی\u200cرضا رضایی", "علی\u200cرضا رضایی"),
        ("name", "\ufeffJose\u0301\u00a0Nun\u0303ez ", "José Nuñez"),
        ("email", "\u200bada@example.com\u00a0", "ada@example.com"),
    ],
)
def test_pasted_contacts_are_normalized(field: str, pasted: str, stored: str) -> None:
    assert contacts.checked(field, pasted) == stored
