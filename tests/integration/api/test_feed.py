"""The event feed over HTTP: order, filters, bodies, media types and refusals."""

import json
import re
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.core.management import call_command
from msgspec.structs import replace

from config.stack import place
from payments.domain.payment.events import EVENT_CLASSES, AnyPaymentEvent
from payments.events.reading import horizon
from payments.events.reading.records import RecordedEvent
from readmodels.engine import runner
from readmodels.feed.events import EVENT_TYPES, FeedData, public
from readmodels.models import EventIndex
from readmodels.projections import event_index
from tests.support import example_events, examples
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, document, project
from tests.support.concurrency import session
from tests.support.erasing import REASON
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

FEED = "/api/v1/events"
CLOUD_EVENTS = "application/cloudevents-batch+json"
SECRET_WORDS = ("score", "band", "rule", "policy", "reviewer", "note", "staff:", "risk")


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


def read(client: ApiClient, query: str = "") -> Any:
    answer = client.get(FEED + query)
    assert answer.status_code == 200, answer.content
    page = body_of(answer)
    assert answer["X-Event-Position"] == str(page["next_after"])
    return page


def types_of(page: Any) -> list[str]:
    return [event["type"] for event in page["events"]]


def test_feed_has_the_public_events_in_the_order_of_the_log(acme: ApiClient) -> None:
    small = body_of(acme.submit(reference="order-1"))
    path = acme.submit(**RISKY)["Location"]
    acme.post(f"{path}/claim", {})
    acme.post(f"{path}/approve", {"reason": "other", "note": "secret"})
    acme.post(
        f"{PAYMENTS}/{small['id']}/refunds",
        {"amount": 500, "currency": "EUR", "reason": "other", "reference": "back-1"},
    )
    project()

    page = read(acme)

    assert types_of(page) == [
        "payment.processed",
        "payment.flagged_for_review",
        "payment.approved",
        "payment.processed",
        "payment.refunded",
    ]
    positions = [event["position"] for event in page["events"]]
    assert positions == sorted(positions)
    assert [event["id"] for event in page["events"]] == [f"evt_{each}" for each in positions]
    assert page["next_after"] == positions[-1]
    assert page["caught_up"] is True
    assert page["events"][-1]["data"] == {
        "payment_id": small["id"],
        "reference": "order-1",
        "customer_id": "customer-123",
        "amount": 1999,
        "currency": "EUR",
        "method": "credit_card",
        "card": None,
        "status": "partially_refunded",
        "reason": "other",
        "refund_id": page["events"][-1]["data"]["refund_id"],
        "refund_reference": "back-1",
        "refund_amount": 500,
        "refunded_amount": 500,
    }
    assert not [word for word in SECRET_WORDS if word in json.dumps(page)]


def test_feed_continues_after_its_last_page(acme: ApiClient) -> None:
    for _ in range(3):
        acme.submit()
    project()

    first = read(acme, "?limit=2")
    second = read(acme, f"?limit=2&after={first['next_after']}")
    empty = read(acme, f"?after={second['next_after']}")

    assert [len(first["events"]), len(second["events"]), len(empty["events"])] == [2, 1, 0]
    assert [first["caught_up"], second["caught_up"], empty["caught_up"]] == [False, True, True]
    acme.submit()
    project()
    assert len(read(acme, f"?after={empty['next_after']}")["events"]) == 1


def test_feed_moves_on_although_no_event_has_the_type(acme: ApiClient) -> None:
    """Regression: without a match, the position stayed, so each read scanned the log again."""
    acme.submit()
    project()

    page = read(acme, "?type=payment.refunded&type=payment.expired")

    assert page == {"events": [], "next_after": horizon.last_event(), "caught_up": True}


def index_entries(client: ApiClient, count: int) -> None:
    """Add entries that are not public to the index, at positions after the log's end."""
    with session() as writer:
        writer.execute(
            "INSERT INTO readmodels_eventindex (position, aggregate_id, version, event_type, actor,"
            " command, occurred_at, recorded_at, client_id)"
            " SELECT %s + n, gen_random_uuid(), 1, 'payment.review_claimed', '', '', now(), now(), %s"
            " FROM generate_series(1, %s) AS n",
            (horizon.last_position(), client.client_id, count),
        )
        writer.execute(
            "SELECT setval('events_event_position_seq', %s)", (horizon.last_position() + count,)
        )


def test_page_of_the_feed_scans_a_bounded_part_of_the_index(acme: ApiClient) -> None:
    acme.submit()
    project()
    start = horizon.last_position()
    index_entries(acme, 10_500)
    acme.submit()
    project()

    first = read(acme, f"?after={start}")
    second = read(acme, f"?after={first['next_after']}")

    assert first == {"events": [], "next_after": start + 10_000, "caught_up": False}
    assert (types_of(second), second["caught_up"]) == (["payment.processed"], True)


def test_feed_of_another_client_is_empty(acme: ApiClient) -> None:
    acme.submit()
    project()

    assert read(ApiClient("Bert"))["events"] == []


def test_feed_shows_no_reference_of_an_erased_customer(acme: ApiClient) -> None:
    acme.submit(customer_id="ann")
    project()
    call_command("erase_customer", "Acme", "ann", "--reason", REASON, "--yes", stdout=StringIO())

    (event,) = read(acme)["events"]

    assert event["data"]["customer_id"] is None


def test_page_of_the_feed_takes_one_query(acme: ApiClient) -> None:
    for _ in range(5):
        acme.submit()
    project()
    read(acme)

    with round_trips() as counted:
        read(acme)

    assert counted.count == 1


def test_feed_is_empty_before_the_first_batch(acme: ApiClient) -> None:
    assert read(acme) == {"events": [], "next_after": 0, "caught_up": True}


def test_feed_ends_where_its_index_ends(acme: ApiClient) -> None:
    acme.submit()
    project()
    end = read(acme)["next_after"]
    acme.submit()

    page = read(acme, f"?after={end}")

    assert page == {"events": [], "next_after": end, "caught_up": True}


def test_feed_refuses_a_position_after_the_end_of_the_log(acme: ApiClient) -> None:
    acme.submit()
    project()

    answer = acme.get(f"{FEED}?after={horizon.last_position() + 1}")

    (error,) = body_of(answer)["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (400, "after", "position_ahead")


def test_feed_is_refused_on_an_index_of_older_code(acme: ApiClient) -> None:
    """Rows that older code wrote have no client, so the feed would look empty."""
    acme.submit()
    older = replace(event_index.PROJECTION, version=event_index.PROJECTION.version - 1)
    runner.catch_up(older)

    answer = acme.get(FEED)

    assert (answer.status_code, body_of(answer)["code"]) == (503, "projection_behind")
    assert answer["Retry-After"] == "60"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"),
        ("after=1.5", "after"),
        ("after=", "after"),
        ("after=9223372036854775808", "after"),
        ("after=1&after=2", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("type=payment.review_claimed", "type"),
        ("type=webhook.test", "type"),
        ("cursor=x", "cursor"),
    ],
)
def test_feed_names_a_wrong_parameter(acme: ApiClient, query: str, field: str) -> None:
    answer = acme.get(f"{FEED}?{query}")

    assert answer.status_code == 400
    assert [error["field"] for error in body_of(answer)["errors"]] == [field]


def test_feed_as_cloud_events(acme: ApiClient) -> None:
    payment = body_of(acme.submit(reference="order-1"))
    project()

    answer = acme.get(FEED, Accept=CLOUD_EVENTS)

    assert answer["Content-Type"] == CLOUD_EVENTS
    (event,) = body_of(answer)
    (same,) = read(acme)["events"]
    assert event == {
        "specversion": "1.0",
        "id": same["id"],
        "source": f"/api/v1/payments/{payment['id']}",
        "type": "payment.processed",
        "time": same["timestamp"],
        "subject": "order-1",
        "datacontenttype": "application/json",
        "data": same["data"],
    }
    assert answer["X-Event-Position"] == str(same["position"])


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/*", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        (f"{CLOUD_EVENTS}; charset=utf-8", CLOUD_EVENTS),
        (CLOUD_EVENTS.upper(), CLOUD_EVENTS),
        (f"{CLOUD_EVENTS}, application/json;q=0.1", CLOUD_EVENTS),
        (f"{CLOUD_EVENTS}, */*;q=0.1", CLOUD_EVENTS),
        (f"{CLOUD_EVENTS};q=0.1, application/json", "application/json"),
        (f"{CLOUD_EVENTS};q=0, */*", "application/json"),
        ("application/cloudevents+json", "application/problem+json"),
    ],
)
def test_feed_answers_in_the_preferred_media_type(
    acme: ApiClient, accept: str, answered: str
) -> None:
    answer = acme.get(FEED, Accept=accept)

    assert answer["Content-Type"] == answered
    if answer.status_code == 200:
        assert {each.strip() for each in answer["Vary"].split(",")} == {"Accept", "Authorization"}


def test_event_types_are_those_of_the_feed_and_the_test(acme: ApiClient) -> None:
    answer = acme.get("/api/v1/event-types")

    names = [each["type"] for each in body_of(answer)["event_types"]]
    assert names == [*EVENT_TYPES, "webhook.test"]


def example_of(event_class: type[AnyPaymentEvent]) -> AnyPaymentEvent:
    """Return the example of the class in tests/support/example_events.py."""
    made: AnyPaymentEvent = next(
        make()
        for make in vars(example_events).values()
        if callable(make) and getattr(make, "__annotations__", {}).get("return") == event_class
    )
    return made


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda each: each.event_type)
def test_body_has_the_fields_of_the_catalogue(event_class: type[AnyPaymentEvent]) -> None:
    record = RecordedEvent(7, UUID(int=1), 2, example_of(event_class))

    if event_class.event_type not in EVENT_TYPES:
        with pytest.raises(ValueError, match="not a public event"):
            public(record, example_events.initiated(), customer_reference="ann")
        return
    event = public(record, example_events.initiated(), customer_reference="ann")

    common = [field.name for field in msgspec.structs.fields(FeedData) if field.required]
    data = json.loads(msgspec.json.encode(event))["data"]
    assert set(data) == {*common, *EVENT_TYPES[event.type].fields}
    assert not [word for word in SECRET_WORDS if word in json.dumps(data)]


def test_readme_lists_the_types_with_their_fields() -> None:
    text = (place.PROJECT / "readmodels/api/README.md").read_text()

    rows = re.findall(r"^\| `(payment\.\w+)` \| (.*)\|$", text, re.MULTILINE)

    assert {name: re.findall(r"`(\w+)`", fields) for name, fields in rows} == {
        name: list(found.fields) for name, found in EVENT_TYPES.items()
    }


def test_document_describes_all_fields_of_the_body() -> None:
    described = document()["components"]["schemas"]["FeedData"]["properties"]

    assert list(described) == list(FeedData.__struct_fields__)
    fields = {field for each in EVENT_TYPES.values() for field in each.fields}
    assert fields < set(described)


def test_index_knows_the_client_of_each_event_with_one(acme: ApiClient) -> None:
    acme.submit()
    project()

    assert set(EventIndex.objects.values_list("client_id", flat=True)) == {acme.client_id}


def test_feed_shows_no_event_of_other_aggregates(acme: ApiClient) -> None:
    """A customer's block is an event of the same client, but not a public one."""
    acme.submit()
    project()
    before = read(acme)

    EventIndex.objects.create(
        position=10**6,
        aggregate_id=uuid4(),
        version=1,
        event_type="customer.blocked",
        actor="",
        command="",
        occurred_at=examples.NOON,
        recorded_at=examples.NOON,
        client_id=acme.client_id,
    )

    assert read(acme)["events"] == before["events"]
