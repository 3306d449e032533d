"""If-Match on decisions, and If-None-Match on reads."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from payments.customers.models import Note
from payments.events.models import Event
from readmodels.engine import parking
from readmodels.engine.runner import catch_up
from readmodels.projections import payment_summary
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, document, project
from tests.support.concurrency import at_once
from tests.support.examples import OPERATOR
from tests.support.poison import raises, spoiled
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REASON = {"reason": "other"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def flagged(acme: ApiClient) -> str:
    return str(acme.submit(**RISKY)["Location"])


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, body_of(answer)["code"]


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_decision_without_if_match_is_refused(acme: ApiClient, flagged: str, command: str) -> None:
    """A client that forgets the header could approve a version that it has not read."""
    key = {"Idempotency-Key": "key-1"}
    answer = acme.send("POST", f"{flagged}/{command}", b'{"reason": "other"}', **key)

    assert outcome(answer) == (428, "precondition_required")
    assert "ETag" in body_of(answer)["detail"]
    assert Event.objects.count() == 2


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_decision_with_the_current_etag_succeeds(
    acme: ApiClient, flagged: str, command: str
) -> None:
    seen = acme.get(flagged)["ETag"]
    answer = acme.post(f"{flagged}/{command}", REASON, **{"If-Match": seen})

    assert answer.status_code == 200
    assert answer["ETag"] != seen
    assert answer["ETag"] == f'"{body_of(answer)["version"]}"'


# ETags as nginx, Jetty and Apache (mod_deflate, mod_brotli) rewrite them, and lists of ETags.
PROXIED = [
    *('W/"2"', '"2-gzip"', 'W/"2-gzip"', '"2-br"', '"2--gzip"', '"2-deflate"', '"2-zstd"'),
    *('"1", "2"', 'W/"2","1"', ', "9" ,, "2-gzip"', '"a,b", "2"', '"2", "2"', 'W/"2", W/"2"'),
]


@pytest.mark.parametrize("seen", PROXIED)
def test_if_match_accepts_etags_rewritten_by_proxies(
    acme: ApiClient, flagged: str, seen: str
) -> None:
    answer = acme.post(f"{flagged}/approve", REASON, **{"If-Match": seen})
    assert (answer.status_code, body_of(answer)["status"]) == (200, "completed")


@pytest.mark.parametrize("seen", PROXIED)
def test_if_none_match_accepts_etags_rewritten_by_proxies(
    acme: ApiClient, flagged: str, seen: str
) -> None:
    assert acme.get(flagged, **{"If-None-Match": seen}).status_code == 304


def test_repetition_with_several_etags_is_recognized(acme: ApiClient, flagged: str) -> None:
    seen = {"If-Match": '"1", W/"2"'}
    first = acme.post(f"{flagged}/approve", REASON, "key-1", **seen)

    again = acme.post(f"{flagged}/approve", REASON, "key-1", **seen)

    assert (again.status_code, again.content) == (200, first.content)


STATED = {"kind": "chargeback", "reason": "fraudulent", "amount": 5, "currency": "EUR"}
OTHERS: dict[str, dict[str, Any]] = {
    "cancel": REASON,
    "claim": {},
    "escalate": {"reason": "other", "note": "Seen."},
    "release": {},
    "refunds": REASON,
    "disputes": STATED | {"dispute_id": "dp_2", "opened_at": "2026-01-07T09:00:00Z"},
    "disputes/dp_1/update": STATED | {"updated_at": "2026-01-07T09:00:00Z"},
    "disputes/dp_1/respond": {"responded_at": "2026-01-07T09:00:00Z"},
    "disputes/dp_1/close": {
        "outcome": "lost",
        "lost_amount": 5,
        "currency": "EUR",
        "closed_at": "2026-01-07T09:00:00Z",
    },
}


def test_every_command_on_a_payment_is_tested_with_if_match() -> None:
    commands = {
        path.partition("{payment_id}/")[2].replace("{dispute_id}", "dp_1")
        for path, item in document()["paths"].items()
        if "{payment_id}/" in path and "post" in item
    }

    assert commands == {*OTHERS, "approve", "reject"}


@pytest.mark.parametrize("command", OTHERS)
def test_other_commands_honor_if_match(acme: ApiClient, flagged: str, command: str) -> None:
    """Without If-Match, these commands would act on a payment that has changed."""
    if command == "refunds" or command.startswith("disputes"):
        flagged = str(acme.submit()["Location"])
    if command.startswith("disputes"):
        opened = STATED | {"dispute_id": "dp_1", "opened_at": "2026-01-06T09:00:00Z"}
        acme.post(f"{flagged}/disputes", opened)
    if command == "release":
        acme.post(f"{flagged}/claim", {})
    seen, before = acme.get(flagged)["ETag"], Event.objects.count()
    for other in ('"1"', '"9"', 'W/"9"', '"1", "9"'):
        answer = acme.post(f"{flagged}/{command}", OTHERS[command], **{"If-Match": other})
        assert outcome(answer) == (412, "precondition_failed")
        assert answer["ETag"] == seen
    assert Event.objects.count() == before
    answer = acme.post(f"{flagged}/{command}", OTHERS[command], **{"If-Match": seen})
    assert answer.status_code == 200
    assert Event.objects.count() == before + 1


@pytest.mark.parametrize(
    "seen",
    [
        *(
            '"1"',
            '"3"',
            'W/"3"',
            '"0"',
            '"two"',
            '""',
            '"02"',
            '"9999999999"',
            '"2-other"',
            '"-gzip"',
        ),
        *('"1", "3"', '"1","3-gzip"', '"2gzip"', '"2-gzip-gzip"'),
    ],
)
def test_decision_with_another_etag_is_refused(acme: ApiClient, flagged: str, seen: str) -> None:
    answer = acme.post(f"{flagged}/approve", REASON | {"note": "Seen."}, **{"If-Match": seen})
    assert outcome(answer) == (412, "precondition_failed")
    assert answer["ETag"] == '"2"'
    problem = body_of(answer)
    assert (problem["version"], problem["payment_status"]) == (2, "pending_review")
    assert (Event.objects.count(), Note.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    "seen", ["", "2", "nonsense", '"2', "*, *", '*, "2"', 'w/"2"', '"1" "2"', ","]
)
def test_invalid_if_match_is_refused(acme: ApiClient, flagged: str, seen: str) -> None:
    answer = acme.post(f"{flagged}/approve", REASON, **{"If-Match": seen})
    assert outcome(answer) == (400, "invalid_request")
    (error,) = body_of(answer)["errors"]
    assert (error["field"], error["code"]) == ("If-Match", "wrong_format")


def test_slower_decision_is_refused_with_the_decision(acme: ApiClient, flagged: str) -> None:
    acme.post(f"{flagged}/approve", REASON, **{"If-Match": '"2"'})
    answer = acme.post(f"{flagged}/reject", REASON, **{"If-Match": '"2"'})
    assert outcome(answer) == (412, "precondition_failed")
    problem = body_of(answer)
    assert problem["decided_by"] == f"staff:{acme.staff_id}"
    assert (problem["status"], problem["payment_status"]) == (412, "completed")
    assert f"completed at version 4, decided by staff:{acme.staff_id}" in problem["detail"]


def test_concurrent_decisions_on_one_version_succeed_once(acme: ApiClient, flagged: str) -> None:
    def decide(number: int) -> int:
        command = ("approve", "reject")[number % 2]
        return acme.post(f"{flagged}/{command}", REASON, **{"If-Match": '"2"'}).status_code

    assert sorted(at_once(8, decide)) == [200, *[412] * 7]


def test_repetition_is_recognized_before_if_match_is_checked(acme: ApiClient, flagged: str) -> None:
    """In the other order, a retry would get a 412 although the first try succeeded."""
    first = acme.post(f"{flagged}/approve", REASON, "key-1", **{"If-Match": '"2"'})
    again = acme.post(f"{flagged}/approve", REASON, "key-1", **{"If-Match": '"2"'})
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"


def test_if_match_reveals_nothing_about_payments_of_others(flagged: str) -> None:
    """Different answers would reveal that the payment exists."""
    bolt = ApiClient("Bolt")
    for path in (flagged, f"{PAYMENTS}/{uuid4()}"):
        for seen in ("*", '"1"', '"2"', '"7"'):
            answer = bolt.post(f"{path}/approve", REASON, **{"If-Match": seen})
            assert outcome(answer) == (404, "payment_not_found")
            assert "ETag" not in answer


def polled(client: ApiClient, flagged: str) -> list[str]:
    """Return every URL whose answers have an ETag."""
    today = timezone.now().date()
    return [
        flagged,
        f"{flagged}/events",
        f"{flagged}/state?version=2",
        PAYMENTS,
        f"{PAYMENTS}?status=pending_review&ordering=created_at",
        "/api/v1/customers/customer-123/payments",
        f"/api/v1/statistics/daily?date={today}",
    ]


def test_if_none_match_answers_304_while_unchanged(acme: ApiClient, flagged: str) -> None:
    project()
    for path in polled(acme, flagged):
        first = acme.get(path)
        assert first.status_code == 200
        for given in (first["ETag"], f'"other", {first["ETag"]}', f"W/{first['ETag']}", "*"):
            again = acme.get(path, **{"If-None-Match": given.replace("W/W/", "W/")})
            assert (again.status_code, again.content) == (304, b"")
            assert again["ETag"] == first["ETag"]
            assert again["X-Request-ID"]
            assert "Content-Type" not in again.headers  # Django would add text/html
        for given in ('"other"', "", "nonsense", first["ETag"].strip('W/"')):
            assert acme.get(path, **{"If-None-Match": given}).status_code == 200


def test_if_none_match_answers_200_after_a_change(acme: ApiClient, flagged: str) -> None:
    project()
    before = {path: acme.get(path)["ETag"] for path in polled(acme, flagged) if "state" not in path}
    acme.post(f"{flagged}/approve", REASON)
    project()
    for path, etag in before.items():
        again = acme.get(path, **{"If-None-Match": etag})
        assert again.status_code == 200, path
        assert again["ETag"] != etag


def test_etag_of_another_client_or_filter_does_not_match(acme: ApiClient) -> None:
    """If the ETag held only the position, another client's key would get a 304."""
    acme.submit()
    project()
    bolt, path = ApiClient("Bolt"), f"{PAYMENTS}?limit=5"

    etag = acme.get(path)["ETag"]

    assert bolt.get(path, **{"If-None-Match": etag}).status_code == 200
    assert acme.get(PAYMENTS, **{"If-None-Match": etag}).status_code == 200
    assert acme.get(path, **{"If-None-Match": etag}).status_code == 304


def test_list_has_no_etag_before_the_first_batch(acme: ApiClient) -> None:
    answer = acme.get(PAYMENTS)
    assert answer.status_code == 200
    assert "ETag" not in answer


def test_etag_changes_when_a_parked_event_is_repaired(acme: ApiClient) -> None:
    """Without the checkpoint's new time, the list would be a 304 until the next event."""
    payment = body_of(acme.submit())["id"]
    catch_up(spoiled(payment_summary.PROJECTION, raises, lambda _: True))
    before = acme.get(PAYMENTS)
    assert body_of(before)["payments"] == []
    parking.retry(payment_summary.PROJECTION, UUID(payment), by=OPERATOR)
    after = acme.get(PAYMENTS, **{"If-None-Match": before["ETag"]})
    assert [each["id"] for each in body_of(after)["payments"]] == [payment]


def test_poll_takes_one_round_trip(acme: ApiClient, flagged: str) -> None:
    project()
    for path in (flagged, PAYMENTS):
        etag = acme.get(path)["ETag"]
        for _ in range(6):  # until the statements are prepared
            acme.get(path, **{"If-None-Match": etag})
        with round_trips() as poll:
            assert acme.get(path, **{"If-None-Match": etag}).status_code == 304
        with round_trips() as full:
            assert acme.get(path).status_code == 200
        assert poll.count == 1
        assert full.count > 1


def test_if_none_match_does_not_hide_a_wrong_parameter(acme: ApiClient) -> None:
    assert acme.get(f"{PAYMENTS}?limit=0", **{"If-None-Match": "*"}).status_code == 400
    nobodys = acme.get(f"{PAYMENTS}/{uuid4()}", **{"If-None-Match": "*"})
    assert nobodys.status_code == 404
