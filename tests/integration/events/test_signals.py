"""A payment's IP address, device id and e-mail address are stored only as comparable hashes."""

from typing import Any, Final

import pytest
from django.db import connection

from payments.events.models import Event
from tests.support.api import PAYMENTS, ApiClient, body_of, project

pytestmark = pytest.mark.django_db(transaction=True)

SENT: Final = {
    "ip_address": "203.0.113.7",
    "device_id": "device-7f3a",
    "email": "ada.ng@example.com",
}


SIGNALS_OF_ANOTHER: Final = {"ip_address": "::1", "device_id": "x", "email": "b@c.de"}


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def stored(answer: Any) -> Any:
    initiated = Event.objects.get(aggregate_id=body_of(answer)["id"], version=1)
    return initiated.data.get("signals")


def test_signals_are_stored_as_hashes_per_client(acme: ApiClient) -> None:
    first = stored(acme.submit(**SENT))
    again = stored(acme.submit(customer_id="another", **SENT))
    bolts = stored(ApiClient("Bolt").submit(**SENT))

    assert first == again
    assert first.keys() == SENT.keys()
    assert all(len(each) == 32 for each in first.values())
    assert len({*first.values(), *bolts.values()}) == 6


def test_no_table_stores_a_signal_in_clear(acme: ApiClient) -> None:
    answer = acme.submit(**SENT)
    project()
    with connection.cursor() as cursor:
        tables = ""
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT string_agg(whole::text, '') FROM {table} AS whole")
            tables += cursor.fetchone()[0] or ""

    assert body_of(answer)["id"] in tables
    for value in SENT.values():
        assert value not in tables


def test_payment_without_signals_stores_none(acme: ApiClient) -> None:
    assert stored(acme.submit()) is None
    assert stored(acme.submit(device_id="device-1")).keys() == {"device_id"}


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("ip_address", "203.0.113.7", "::ffff:203.0.113.7"),
        ("ip_address", "2001:db8:1:2:aaaa::1", "2001:0DB8:1:2::99"),
        ("email", "Ada.Ng@Example.COM", "ada.ng@example.com"),
        ("email", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("email", "andre\u0301@example.com", "andr\u00e9@example.com"),
    ],
)
def test_equal_signals_in_two_spellings_have_one_hash(
    acme: ApiClient, field: str, one: str, other: str
) -> None:
    first, second = acme.submit(**{field: one}), acme.submit(**{field: other})
    assert (first.status_code, second.status_code) == (201, 201), second.content
    assert stored(first) == stored(second)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("ip_address", "203.0.113.7", "203.0.113.8"),
        ("ip_address", "2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("device_id", "device-a", "device-A"),
        ("email", "ada@example.com", "ada+shop@example.com"),
    ],
)
def test_different_signals_have_different_hashes(
    acme: ApiClient, field: str, one: str, other: str
) -> None:
    assert stored(acme.submit(**{field: one})) != stored(acme.submit(**{field: other}))


def test_reused_key_names_the_changed_signal(acme: ApiClient) -> None:
    acme.submit(key="1", **SENT)
    assert acme.submit(key="1", **SENT)["Idempotency-Replayed"] == "true"
    for field, value in SIGNALS_OF_ANOTHER.items():
        changed: dict[str, Any] = SENT | {field: value}
        problem = body_of(acme.submit(key="1", **changed))
        assert problem["code"] == "idempotency_key_reused"
        assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("ip_address", "203.0.113.256", "wrong_format"),
        ("ip_address", "203.0.113.07", "wrong_format"),
        ("ip_address", "203.0.113.0/24", "wrong_format"),
        ("ip_address", "fe80::1%eth0", "wrong_format"),
        ("ip_address", "localhost", "wrong_format"),
        ("ip_address", 3_405_803_783, "wrong_type"),
        ("email", "ada", "wrong_format"),
        ("email", "ada@", "wrong_format"),
        ("email", f"{'a' * 250}@b.de", "wrong_format"),
        ("device_id", "", "text_empty"),
        ("device_id", "d" * 256, "text_too_long"),
        ("device_id", "4111111111111111", "card_number_refused"),
    ],
)
def test_invalid_signal_names_its_field_and_stores_nothing(
    acme: ApiClient, field: str, value: object, code: str
) -> None:
    changed: dict[str, Any] = {field: value}
    answer = acme.submit(**changed)

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert Event.objects.count() == 0


def test_all_invalid_signals_are_named_at_once(acme: ApiClient) -> None:
    problem = body_of(acme.submit(ip_address="x", email="y"))
    assert [error["field"] for error in problem["errors"]] == ["ip_address", "email"]


def test_answers_contain_no_signal_or_hash(acme: ApiClient) -> None:
    answer = acme.submit(**SENT)
    hashes = stored(answer).values()
    project()
    url = f"{PAYMENTS}/{body_of(answer)['id']}"
    for each in (answer, acme.get(url), acme.get(f"{url}/events"), acme.get(PAYMENTS)):
        content = each.content.decode()
        assert not [value for value in (*SENT.values(), *hashes) if value in content]
