"""An erasure removes the customer from every table, and keeps other customers."""

from typing import Final
from uuid import uuid4

import pytest
from django.apps import apps
from django.db.models import CharField, TextField

from payments.customers import free_texts, notes
from payments.customers.models import Blocking, Customer, Note
from payments.identity.models import Session
from payments.identity.session_store import SessionStore
from readmodels.models import DiscardedEvent
from tests.support.api import ApiClient
from tests.support.erasing import FILES, NAME, REASON, REFERENCE, ada, found, run
from tests.support.examples import NOON, OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_erasure_leaves_no_personal_data_in_any_table(payment: str) -> None:
    """Each step of an erasure clears one place. If a step is missing, this test finds its place."""
    assert found() == {
        "customers_attachment",
        "customers_customer",
        "customers_note",
        "django_admin_log",
        "identity_session",
        "readmodels_discardedevent",
        "webhooks_attempt",
        "webhooks_endpoint",
    }
    output = run()
    assert found() == set()
    for line in (
        "1 sessions",
        "1 admin log entries",
        "1 notes about blocks",
        "1 notes about reveals",
        "1 notes about lists",
        "1 review notes",
        "1 reasons of other erasures that mention the customer",
        "2 other review notes that mention the customer",
        "1 names of attachments that mention the customer",
        "1 attached text files that mention the customer",
        "1 reasons of discarded events that mention the customer",
        "1 descriptions of webhook endpoints that mention the customer",
        "1 answers of webhook endpoints that mention the customer",
        "4 fields of the customer (reference, name, email, phone)",
    ):
        assert f"      {line}\n" in output
    stone = ada()
    assert f"contain only the id {stone.pk}." in output
    assert (
        "references of payments and refunds, X-Request-ID, X-Correlation-ID, hashes of"
        " Idempotency-Key." in output
    )
    assert (stone.erasure_reason, stone.blocked, stone.reference) == (REASON, True, None)
    assert stone.erased_by.startswith("system:manage.py:")
    assert (Blocking.objects.count(), Note.objects.get().text) == (1, FILES)
    assert DiscardedEvent.objects.get().reason == ""


# The text columns that an erasure does not search, each with the reason.
NOT_SEARCHED: Final = {
    "backtests.Backtest.baseline_id": "a hash",
    "backtests.Backtest.candidate_id": "a hash",
    "backtests.Backtest.digest": "a hash",
    "backtests.Backtest.error": "of the code",
    "backtests.Backtest.requested_by": "an id",
    "backtests.Shadow.candidate_id": "a hash",
    "backtests.Shadow.error": "of the code",
    "backtests.Shadow.started_by": "an id",
    "backtests.Shadow.stopped_by": "an id",
    "clients.ApiKey.prefix": "made by chance",
    "clients.Client.name": "a merchant",
    "customers.Blocking.actor": "an id",
    "customers.Blocking.reason": "a code",
    "customers.Customer.email": "cleared as a field of the customer",
    "customers.Customer.erased_by": "an id",
    "customers.Customer.name": "cleared as a field of the customer",
    "customers.Customer.phone": "cleared as a field of the customer",
    "customers.Customer.reference": "cleared as a field of the customer",
    "customers.Note.author": "an id",
    "customers.PseudonymKey.check_value": "a keyed hash",
    "customers.StaffMention.actor": "an id",
    "events.Reservation.namespace": "of the code",
    "events.Reservation.value": "the client's own, as in the log",
    "events.Event.aggregate_type": "of the code",
    "events.Event.event_type": "of the code",
    "exports.Export.digest": "a hash",
    "exports.Export.error": "a sentence of the service",
    "exports.Export.query": "filters, without a search",
    "exports.Export.requested_by": "an id",
    "events.Seal.positions": "numbers",
    "events.Seal.statement": "derived from the log",
    "events.Snapshot.fold": "of the code",
    "identity.RecoveryCodes.name": "of the code",
    "identity.SecurityRecord.actor": "an id",
    "identity.Session.address": "of staff",
    "identity.Session.browser": "of staff",
    "identity.Session.session_data": "searched as sessions",
    "identity.Session.session_key": "made by chance",
    "lists.Entry.added_by": "an id",
    "lists.Entry.card_last4": "of the card",
    "lists.Entry.card_brand": "of the card",
    "lists.Entry.key": "a keyed hash, a code or the beginning of references",
    "lists.Entry.removed_by": "an id",
    "lists.RiskList.archived_by": "an id",
    "lists.RiskList.created_by": "an id",
    "lists.RiskList.name": "a code",
    "readmodels.EventIndex.event_type": "of the code",
    "readmodels.Checkpoint.error": "error text",
    "readmodels.Checkpoint.name": "of the code",
    "readmodels.CustomerActivity.currency": "a code",
    "readmodels.DailyStatistics.currency": "a code",
    "readmodels.DailyStatistics.key": "made of others",
    "readmodels.DiscardedEvent.discarded_by": "an id",
    "readmodels.DiscardedEvent.projection": "of the code",
    "readmodels.DisputeSummary.currency": "a code",
    "readmodels.DisputeSummary.dispute_id": "the provider's own, as in the log",
    "readmodels.DisputeSummary.network": "of the card",
    "readmodels.DisputeSummary.network_reason_code": "a code",
    "readmodels.DisputeSummary.responded_by": "an id",
    "readmodels.EventIndex.actor": "an id",
    "readmodels.EventIndex.command": "of the code",
    "readmodels.EventIndex.correlation_id": "the client's own, as in the log",
    "readmodels.ParkedEvent.error": "error text about the log",
    "readmodels.ParkedEvent.event_type": "of the code",
    "readmodels.ParkedEvent.projection": "of the code",
    "readmodels.ParkedEvent.traceback": "error text about the log",
    "readmodels.PaymentSummary.assigned_to": "an id",
    "readmodels.PaymentSummary.snoozed_by": "an id",
    "readmodels.PaymentSummary.card_brand": "of the card",
    "readmodels.PaymentSummary.card_fingerprint": "a keyed hash",
    "readmodels.PaymentSummary.card_last4": "of the card",
    "readmodels.PaymentSummary.claimed_by": "an id",
    "readmodels.PaymentSummary.currency": "a code",
    "readmodels.PaymentSummary.first_approver": "an id",
    "readmodels.PaymentSummary.reference": "the client's own, as in the log",
    "readmodels.PaymentSummary.reviewer": "an id",
    "readmodels.PersonalAccess.by": "an id",
    "readmodels.RebuildRun.confirmed": "a hash",
    "readmodels.RebuildRun.digest": "a hash",
    "readmodels.RebuildRun.error": "error text",
    "readmodels.RebuildRun.requested_by": "an id",
    "readmodels.RebuildStep.actor": "an id",
    "readmodels.RebuildStep.note": "error text, or a hash",
    "readmodels.ReviewDay.currency": "a code",
    "readmodels.ReviewDay.reviewer": "an id",
    "readmodels.SavedView.screen": "of the code",
    "readmodels.StartView.screen": "of the code",
    "staff.StaffChange.after": "of staff",
    "staff.StaffChange.before": "of staff",
    "staff.StaffChange.by": "an id",
    "staff.StaffChange.username": "of staff",
    "readmodels.SecondReview.concluded_by": "an id",
    "readmodels.SecondReview.currency": "a code",
    "readmodels.SecondReview.first_reason": "a code",
    "readmodels.SecondReview.first_reviewer": "an id",
    "readmodels.SecondReview.reason": "a code",
    "readmodels.SecondReview.reviewer": "an id",
    "readmodels.SecondReview.second_reason": "a code",
    "readmodels.SecondReview.severity": "a code",
    "webhooks.Attempt.error": "a sentence of the service",
    "webhooks.Attempt.event_type": "of the code",
    "webhooks.Attempt.message_id": "made of a position or by chance",
    "webhooks.Endpoint.url": "of the client's server",
    "webhooks.HeldPayment.error": "a sentence of the service",
}


def test_erasure_searches_every_column_of_typed_text() -> None:
    """For a new text column, extend the search or list the column above with a reason."""
    columns = {
        f"{field.model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model.__module__.startswith(("payments.", "readmodels."))
        for field in model._meta.get_fields()
        if isinstance(field, CharField | TextField) and not field.choices
    }
    searched = {f"{each.model._meta.label}.{each.column}" for each in free_texts.places()}

    assert searched == columns - NOT_SEARCHED.keys()
    assert NOT_SEARCHED.keys() <= columns


def test_erasure_reads_pages_and_keeps_unrelated_texts(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_texts, "PAGE", 2)
    stay = ("Ada Ngwenyama", f"x{REFERENCE}", f"{REFERENCE}-2", "Miss Ngwenya's sister", "None")
    for written in (*stay, *[f"Asked {NAME}, who knows nobody"] * 3):
        notes.write(uuid4(), written, author=OPERATOR, at=NOON).save()

    assert "      5 other review notes that mention the customer\n" in run()
    assert sorted(Note.objects.values_list("text", flat=True)) == sorted((*stay, FILES))


def test_second_erasure_searches_by_reference_only(payment: str) -> None:
    run()
    for written in (f"The friend of {REFERENCE}", "Nobody"):
        notes.write(uuid4(), written, author=OPERATOR, at=NOON).save()

    assert "      1 other review notes that mention the customer\n" in run()
    assert set(Note.objects.values_list("text", flat=True)) == {"Nobody", FILES}


def test_erasure_keeps_other_customers(payment: str, acme: ApiClient) -> None:
    for other in (f"{REFERENCE}-2", f"x{REFERENCE}"):
        acme.submit(customer_id=other)
    ApiClient("Bolt").submit(customer_id=REFERENCE)
    session = SessionStore()
    session["_auth_user_id"] = "7"
    session.save()

    run()

    assert Customer.objects.filter(reference=None).count() == 2
    assert Customer.objects.count() == 5
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("佐々木健太郎", "佐々木健太郎様に電話で確認済み。"),
        ("김민수", "김민수님과 통화함"),
        ("Mary O'Hara", "Spoke to Mary O’Hara."),
        ("Jürgen Groß", "JÜRGEN GROSS hat angerufen"),
        ("Tom Porter", "see Tom_Porter.pdf"),
    ],
)
def test_erasure_finds_usual_spellings_in_notes_about_others(
    payment: str, name: str, text: str
) -> None:
    Customer.objects.filter(pk=ada().pk).update(name=name)
    note = notes.write(uuid4(), text, author=OPERATOR, at=NOON)
    note.save()

    output = run()

    assert "Searched for in texts: reference, name, email, phone.\n" in output
    assert not Note.objects.filter(pk=note.pk).exists()
