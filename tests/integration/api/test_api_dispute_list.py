"""Disputes in reads: the list with its filters, and the payment with its disputes."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from django.utils import timezone

from payments.domain.payment.codes import DisputeKind
from readmodels.models import DisputeSummary, PaymentSummary
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.disputing import note
from tests.support.example_commands import close_dispute, open_dispute, respond_to_dispute
from tests.support.examples import usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST: Final = "/api/v1/disputes"
NOW: Final = timezone.now()


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient()


def paid(client: ApiClient) -> UUID:
    return UUID(body_of(client.submit(amount=10_00, currency="USD"))["id"])


def opened(number: int, **changes: Any) -> Any:
    """Return the opening of a dispute. The number determines its id and its time."""
    notice = {
        "dispute_id": f"dp_{number}",
        "amount": usd(1),
        "opened_at": NOW - timedelta(days=30 - number),
        "respond_by": None,
        "at": NOW,
    }
    return open_dispute(**notice | changes)


@pytest.fixture
def payment(acme: ApiClient) -> UUID:
    """Return a payment with disputes: two due, one contested, one lost, one without a due time."""
    payment_id = paid(acme)
    note(
        payment_id,
        opened(1, respond_by=NOW + timedelta(days=9)),
        opened(2, respond_by=NOW - timedelta(days=1), kind=DisputeKind.INQUIRY),
        opened(3, respond_by=NOW + timedelta(days=1)),
        respond_to_dispute(dispute_id="dp_3", responded_at=NOW - timedelta(hours=1), at=NOW),
        opened(4),
        opened(5, respond_by=NOW),
        close_dispute(dispute_id="dp_5", lost_amount=usd(1), closed_at=NOW, at=NOW),
        client=acme.client_id,
    )
    project()
    return payment_id


def listed(client: ApiClient, query: str = "") -> list[str]:
    answer = client.get(LIST + query)
    assert answer.status_code == 200, answer.content
    return [each["id"] for each in body_of(answer)["disputes"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "54321"),
        ("?ordering=opened_at", "12345"),
        ("?status=needs_response", "421"),
        ("?status=under_review", "3"),
        ("?status=closed", "5"),
        ("?kind=inquiry", "2"),
        ("?kind=inquiry&status=closed", ""),
    ],
)
def test_list_of_disputes_is_filtered_and_sorted(
    payment: UUID, acme: ApiClient, query: str, expected: str
) -> None:
    assert listed(acme, query) == [f"dp_{number}" for number in expected]


@pytest.mark.parametrize(
    ("days", "query", "expected"), [(5, "", "2"), (10, "", "21"), (10, "&kind=chargeback", "1")]
)
def test_list_of_disputes_ends_before_a_due_time(
    payment: UUID, acme: ApiClient, days: int, query: str, expected: str
) -> None:
    before = f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    assert listed(acme, f"?due_before={before}{query}") == [f"dp_{each}" for each in expected]


def test_list_by_due_time_ends_with_disputes_that_are_not_due(
    payment: UUID, acme: ApiClient
) -> None:
    found = listed(acme, "?ordering=respond_by")

    assert found[:2] == ["dp_2", "dp_1"]
    assert set(found[2:]) == {"dp_3", "dp_4"}


@pytest.mark.parametrize("ordering", ["-opened_at", "opened_at", "respond_by"])
def test_pages_of_disputes_hold_each_once(payment: UUID, acme: ApiClient, ordering: str) -> None:
    whole = listed(acme, f"?ordering={ordering}")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = body_of(acme.get(f"{LIST}?ordering={ordering}&limit=2{cursor}"))
        assert len(page["disputes"]) <= 2
        found += [each["id"] for each in page["disputes"]]
        cursor = page["next"] and f"&cursor={page['next']}"

    assert found == whole


def test_client_sees_only_its_own_disputes(payment: UUID, acme: ApiClient) -> None:
    bolt = ApiClient("Bolt")
    mine = paid(bolt)
    note(mine, opened(7), client=bolt.client_id)
    project()

    assert listed(bolt) == ["dp_7"]
    assert listed(bolt, f"?payment_id={payment}") == []
    assert "dp_7" not in listed(acme)
    assert listed(acme, f"?payment_id={payment}&ordering=opened_at") == [
        f"dp_{number}" for number in range(1, 6)
    ]
    assert bolt.get(f"{PAYMENTS}/{payment}").status_code == 404


def test_list_needs_the_scope_to_read_payments(payment: UUID) -> None:
    assert ApiClient(scopes=["statistics:read"]).get(LIST).status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=open", "status"),
        ("?kind=nonsense", "kind"),
        ("?payment_id=1", "payment_id"),
        ("?due_before=soon", "due_before"),
        ("?due_before=2026-01-01&ordering=opened_at", "ordering"),
        ("?ordering=respond_by&status=closed", "status"),
        ("?cursor=x", "cursor"),
        ("?limit=101", "limit"),
        ("?reason=fraudulent", "reason"),
    ],
)
def test_wrong_parameter_is_refused_by_name(acme: ApiClient, query: str, field: str) -> None:
    answer = acme.get(LIST + query)

    assert answer.status_code == 400
    assert [each["field"] for each in body_of(answer)["errors"]] == [field]


def test_cursor_of_another_list_is_refused(payment: UUID, acme: ApiClient) -> None:
    cursor = body_of(acme.get(f"{LIST}?limit=1"))["next"]

    for query in (f"?kind=inquiry&cursor={cursor}", f"?ordering=opened_at&cursor={cursor}"):
        assert acme.get(LIST + query).status_code == 400


def test_list_payment_and_log_show_the_same_dispute(payment: UUID, acme: ApiClient) -> None:
    of_payment = {
        each["id"]: each for each in body_of(acme.get(f"{PAYMENTS}/{payment}"))["disputes"]
    }
    for each in body_of(acme.get(LIST))["disputes"]:
        own = {"payment_id": str(payment), "status": each["status"]}
        assert each == of_payment[each["id"]] | own
    at_version = body_of(acme.get(f"{PAYMENTS}/{payment}/state?version=3"))
    assert [each["id"] for each in at_version["disputes"]] == ["dp_1"]


def test_payment_shows_its_disputes_at_its_version_while_projections_lag(
    payment: UUID, acme: ApiClient
) -> None:
    """The row of the payment and the rows of its disputes may be at different versions."""
    DisputeSummary.objects.all().delete()
    version = PaymentSummary.objects.get().version

    answer = acme.get(f"{PAYMENTS}/{payment}")

    assert body_of(answer)["version"] == version
    assert len(body_of(answer)["disputes"]) == 5


def test_list_of_payments_shows_their_disputes(payment: UUID, acme: ApiClient) -> None:
    paid(acme)
    project()

    rows = body_of(acme.get(PAYMENTS))["payments"]

    assert [len(row["disputes"]) for row in rows] == [0, 5]
    assert rows[1] == body_of(acme.get(f"{PAYMENTS}/{payment}"))


def test_payment_without_disputes_shows_none(acme: ApiClient) -> None:
    payment_id = paid(acme)
    from_log = body_of(acme.get(f"{PAYMENTS}/{payment_id}"))
    project()

    assert body_of(acme.get(f"{PAYMENTS}/{payment_id}")) == from_log
    assert from_log["disputes"] == []


def test_read_of_the_list_waits_for_the_own_notice(payment: UUID, acme: ApiClient) -> None:
    outcome = note(payment, opened(6), client=acme.client_id)

    position = str(outcome.position)
    assert acme.get(LIST, **{"X-Min-Position": position}).status_code == 503
    project()
    answer = acme.get(LIST, **{"X-Min-Position": position})

    assert body_of(answer)["disputes"][0]["id"] == "dp_6"
    unchanged = acme.get(LIST, **{"If-None-Match": answer["ETag"]})
    assert unchanged.status_code == 304
