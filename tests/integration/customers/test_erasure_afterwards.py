"""After an erasure, the log is unchanged, and screens and the API show that data were erased."""

from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.urls import reverse
from msgspec.structs import replace

from payments import actors
from payments.application import disputes
from payments.application.dispatch import CommandContext
from payments.customers import changes
from payments.customers.models import Note
from payments.customers.registry import CustomerError
from payments.events.models import Event
from readmodels.models import DisputeSummary, PaymentSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.erasing import APPROVAL, FRIEND, NAME, NOTE, REASON, REFERENCE, ada, found, run
from tests.support.example_commands import open_dispute, respond_to_dispute
from tests.support.examples import OPERATOR, usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_erased_note_of_another_payment_is_shown_as_erased(payment: str, acme: ApiClient) -> None:
    other = body_of(acme.submit(**RISKY | {"customer_id": "friend", "reference": "order-982"}))[
        "id"
    ]
    acme.post(f"{PAYMENTS}/{other}/approve", {"reason": "other", "note": f"Knows {NAME}"})
    run()
    url = reverse("admin:readmodels_paymentsummary_change", args=[other])

    shown = text(browser("risk manager", "mia").get(url))

    assert "This note was erased." in shown
    assert "its hash differs" not in shown


def test_erased_reasons_are_shown_as_erased(payment: str) -> None:
    run()
    manager = browser("risk manager", "mia")
    friend = text(manager.get(reverse("admin:customers_customer_change", args=[FRIEND])))
    assert friend.count("The reason was erased.") == 1
    discarded = manager.get(reverse("admin:readmodels_discardedevent_changelist"))
    assert "The reason was erased." in text(discarded)


def test_erasure_keeps_the_log_and_its_seals(payment: str) -> None:
    call_command("seal_events", stdout=StringIO())
    before = list(Event.objects.order_by("position").values_list())
    run()
    assert list(Event.objects.order_by("position").values_list()) == before
    call_command("verify_events", stdout=StringIO())
    assert (
        PaymentSummary.objects.get().reference == "order-981"
    )  # an order's reference is not personal


def test_erasure_keeps_disputes_and_removes_the_notes_of_responses(
    payment: str, acme: ApiClient
) -> None:
    notices = (open_dispute(amount=usd(1_00)), respond_to_dispute())
    context = CommandContext(actor=actors.client(acme.client_id))
    for notice in notices:
        command = replace(notice, payment_id=UUID(payment), client_id=acme.client_id)
        text_of_note = NOTE if notice is notices[1] else None
        disputes.handle(command, context, note=text_of_note)
    project()
    before = list(DisputeSummary.objects.values_list()), Event.objects.count()

    run()

    project()
    assert (list(DisputeSummary.objects.values_list()), Event.objects.count()) == before
    assert not Note.objects.filter(text=NOTE).exists()
    row = DisputeSummary.objects.get()
    url = reverse("admin:readmodels_disputesummary_change", args=[row.pk])
    assert "This note was erased." in text(browser("risk manager", "mia").get(url))


def test_payment_after_erasure_stores_no_personal_data(payment: str, acme: ApiClient) -> None:
    before = body_of(acme.submit("submission", customer_id=REFERENCE))["id"]
    run()
    answer = acme.submit(customer_id=REFERENCE)
    assert answer.status_code == 201
    assert body_of(answer)["customer_id"] == REFERENCE  # as the client just sent it
    assert body_of(answer)["failure_reason"] == "blocked_by_policy"  # an erasure keeps the block
    again = body_of(acme.submit("submission", customer_id=REFERENCE))
    assert (again["id"], again["customer_id"]) == (
        before,
        REFERENCE,
    )  # taken from the repeated request
    approved = body_of(acme.post(f"{PAYMENTS}/{payment}/approve", APPROVAL, key="approval"))
    assert (approved["id"], approved["customer_id"]) == (payment, None)
    project()
    assert found() == set()
    stone = ada()
    assert PaymentSummary.objects.filter(customer_id=stone.pk).count() == 3
    listed = body_of(acme.get(f"/api/v1/customers/{REFERENCE}/payments"))["payments"]
    assert [each["customer_id"] for each in listed] == [None] * 3
    for path in ("", "/state?version=1"):
        assert body_of(acme.get(f"{PAYMENTS}/{payment}{path}"))["customer_id"] is None
    with pytest.raises(CustomerError, match="The customer was erased"):
        changes.rename(stone.pk, {"name": NAME}, by=OPERATOR)


def test_back_office_shows_erased_customers_as_erased(payment: str) -> None:
    url = reverse("admin:readmodels_paymentsummary_change", args=[payment])
    manager = browser("risk manager", "mia")
    assert NOTE in text(manager.get(url))
    Note.objects.update(text="Something else")
    assert "its hash differs" in text(manager.get(url))
    run()
    shown = text(manager.get(url))
    assert "This note was erased." in shown
    assert "Name erased" in shown
    customer = manager.get(reverse("admin:customers_customer_change", args=[ada().pk]))
    for words in ("UTC by system:manage.py:", REASON, "The note was erased.", "Unblock"):
        assert words in text(customer)
    assert "Rename" not in text(customer)
    for name in ("customers_customer", "readmodels_paymentsummary"):
        listing = manager.get(reverse(f"admin:{name}_changelist"), {"q": REFERENCE})
        assert len(listing.context["cl"].result_list) == 1
        assert "erased" in text(listing)
