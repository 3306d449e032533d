"""Reads over HTTP: single payments, pages of lists, and isolation."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from readmodels.models import PaymentSummary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, ids, project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_read_of_a_payment_equals_the_answer_to_its_submission(acme: ApiClient) -> None:
    submitted = acme.submit(**RISKY)
    path = submitted["Location"]
    before = acme.get(path)  # no projection has run, so the log answers
    project()
    after = acme.get(path)
    assert before.content == after.content == submitted.content
    assert before["ETag"] == after["ETag"] == '"2"'


def test_read_after_a_decision_equals_the_answer_to_the_decision(acme: ApiClient) -> None:
    path = acme.submit(**RISKY)["Location"]
    decided = acme.post(f"{path}/reject", {"reason": "suspected_fraud"})
    project()
    assert acme.get(path).content == decided.content


def test_payment_events_omit_operator_fields(acme: ApiClient) -> None:
    path = acme.submit(**RISKY)["Location"]
    acme.post(f"{path}/approve", {"reason": "other", "note": "secret"})
    answer = acme.get(f"{path}/events")
    events = body_of(answer)["events"]
    assert [event["version"] for event in events] == [1, 2, 3, 4]
    assert [event["type"] for event in events] == [
        "payment.initiated",
        "payment.flagged_for_review",
        "payment.approved",
        "payment.processed",
    ]
    assert events[1]["data"]["reasons"] == ["first_card_payment_large"]
    content = answer.content.decode()
    for secret in ("secret", "digest", "metadata", "policy_id"):
        assert secret not in content


def test_keyset_pages_hold_every_payment_once(acme: ApiClient) -> None:
    submitted = [body_of(acme.submit(customer_id=f"c{n % 3}"))["id"] for n in range(7)]
    project()
    found, path = [], f"{PAYMENTS}?limit=3"
    while path:
        body = body_of(acme.get(path))
        assert len(body["payments"]) <= 3
        found += [payment["id"] for payment in body["payments"]]
        path = f"{PAYMENTS}?limit=3&cursor={body['next']}" if body["next"] else ""
    assert found == submitted[::-1]


def test_keyset_pages_handle_equal_times(acme: ApiClient) -> None:
    for _ in range(5):
        acme.submit()
    project()
    PaymentSummary.objects.update(initiated_at=timezone.now())
    first = body_of(acme.get(f"{PAYMENTS}?limit=2"))
    second = body_of(acme.get(f"{PAYMENTS}?limit=2&cursor={first['next']}"))
    third = body_of(acme.get(f"{PAYMENTS}?limit=2&cursor={second['next']}"))
    pages = [first, second, third]
    assert len({each["id"] for page in pages for each in page["payments"]}) == 5
    assert third["next"] is None


def test_keyset_pages_can_begin_with_the_oldest(acme: ApiClient) -> None:
    submitted = [body_of(acme.submit())["id"] for _ in range(5)]
    project()
    PaymentSummary.objects.filter(pk__in=submitted[3:]).update(initiated_at=timezone.now())
    oldest_first = [*submitted[:3], *sorted(submitted[3:])]
    for ordering, expected in (("created_at", oldest_first), ("-created_at", oldest_first[::-1])):
        path = f"{PAYMENTS}?ordering={ordering}&limit=2"
        first = body_of(acme.get(path))
        second = body_of(acme.get(f"{path}&cursor={first['next']}"))
        third = body_of(acme.get(f"{path}&cursor={second['next']}"))
        pages = [first, second, third]
        assert [each["id"] for page in pages for each in page["payments"]] == expected
        assert third["next"] is None


def test_keyset_page_needs_no_count(acme: ApiClient) -> None:
    acme.submit()
    project()
    with CaptureQueriesContext(connection) as queries:
        for ordering in ("created_at", "-created_at"):
            acme.get(f"{PAYMENTS}?ordering={ordering}&limit=2")
    statements = " ".join(query["sql"] for query in queries).lower()
    assert "readmodels_paymentsummary" in statements
    assert "count(" not in statements
    assert "offset" not in statements


def test_cursor_of_another_list_is_refused(acme: ApiClient) -> None:
    """Regression: with a foreign cursor, a list began its page at an arbitrary place."""
    for _ in range(3):
        acme.submit()
    project()
    cursor = body_of(acme.get(f"{PAYMENTS}?limit=1"))["next"]
    assert acme.get(f"{PAYMENTS}?limit=2&cursor={cursor}").status_code == 200
    for other in ("ordering=created_at", "status=completed", "from=2026-01-01"):
        answer = acme.get(f"{PAYMENTS}?{other}&cursor={cursor}")
        assert (answer.status_code, body_of(answer)["errors"][0]["field"]) == (400, "cursor")
    assert acme.get(f"/api/v1/customers/customer-123/payments?cursor={cursor}").status_code == 400


@pytest.mark.parametrize("path", ["", "/events"])
@pytest.mark.parametrize("projected", [True, False])
def test_another_clients_payment_does_not_exist(
    acme: ApiClient, path: str, *, projected: bool
) -> None:
    """Regression: a query that ignored the client found these."""
    payment = body_of(acme.submit(**RISKY))["id"]
    if projected:
        project()
    bolt = ApiClient("Bolt")
    for unknown in (
        bolt.get(f"{PAYMENTS}/{payment}{path}"),
        acme.get(f"{PAYMENTS}/{uuid4()}{path}"),
    ):
        assert (unknown.status_code, body_of(unknown)["code"]) == (404, "payment_not_found")
    assert ids(bolt) == []
    assert ids(bolt, "/api/v1/customers/customer-123/payments") == []
