"""Looking payments up in lists: what matches, what decisions record, what the lookup costs."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection

from payments import pseudonyms
from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.cards import Brand, PresentedCard
from payments.domain.list_items import Item, ListMatch, ListName
from payments.domain.lists import id_of
from payments.domain.risk.conditions import RiskFeatures, listable
from payments.events.reading import streams
from payments.lists.models import Entry
from readmodels.queries import risk_features
from tests.support.api import ApiClient, body_of
from tests.support.examples import CUSTOMER
from tests.support.lists import STOLEN, add, archive, create, policy_using, remove
from tests.support.policies import activate, staff
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

NOW: Final = datetime(2026, 1, 6, 12, 2, tzinfo=UTC)
CARD: Final[dict[str, Any]] = {"token": "tok_17", "brand": Brand.VISA, "last4": "4242"}
BINS: Final = ListName("prefixes")


def matches(at: datetime = NOW, **parts: Any) -> tuple[ListMatch, ...] | None:
    keys = listable(customer_id=CUSTOMER, **parts)
    known = risk_features.of_customer(CUSTOMER, currency="USD", item_keys=keys, at=at)
    return known.features.lists


def submitted(acme: ApiClient, **changes: Any) -> tuple[str, RiskFeatures]:
    """Submit a payment. Return its status and the features that the decision used."""
    answer = body_of(acme.submit(**changes))
    event = streams.history(PAYMENT_AGGREGATE, UUID(answer["id"]))[1].event
    return answer["status"], event.risk.features  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("item", "value", "parts", "others"),
    [
        (Item.CUSTOMER, str(CUSTOMER), {}, None),
        (Item.CARD, "ab" * 16, {"fingerprint": "ab" * 16}, {"fingerprint": "cd" * 16}),
        (Item.COUNTRY, "DE", {"country": "DE"}, {"country": "FR"}),
        (Item.REFERENCE_PREFIX, "ORD-", {"reference": "ORD-7"}, {"reference": "ORD7"}),
        (Item.REFERENCE_PREFIX, "ORD-7", {"reference": "ORD-7"}, {"reference": "ORD-"}),
        (Item.REFERENCE_PREFIX, "x" * 20, {"reference": "x" * 40}, {"reference": "x" * 19}),
    ],
)
def test_payment_matches_list_that_holds_a_part_of_it(
    item: Item, value: str, parts: dict[str, Any], others: dict[str, Any] | None
) -> None:
    create(item=item)
    assert matches(**parts) == ()

    add(value)

    assert matches(**parts) == (ListMatch(STOLEN, 2),)
    assert others is None or matches(**others) == ()


def test_version_of_match_counts_all_changes_of_the_list() -> None:
    create()
    create(ListName("another"))
    add("DE", "FR")
    add("DE", name=ListName("another"))
    remove("FR")

    both = (ListMatch(ListName("another"), 2), ListMatch(STOLEN, 4))
    assert matches(country="DE") == both
    assert matches(country="FR") == ()


def test_two_prefixes_on_one_list_are_one_match() -> None:
    create(item=Item.REFERENCE_PREFIX)
    add("ORD", "ORD-7")

    assert matches(reference="ORD-7") == (ListMatch(STOLEN, 3),)


def test_entry_stops_matching_at_its_expiry() -> None:
    create()
    expiry = NOW + timedelta(days=1)
    add("DE", expires_at=expiry)

    assert matches(expiry - timedelta(microseconds=1), country="DE") != ()
    assert matches(expiry, country="DE") == ()


def test_archived_list_does_not_match() -> None:
    create()
    add("DE")
    archive()

    assert matches(country="DE") == ()


def test_next_payment_with_a_listed_card_waits_for_review_and_records_the_list() -> None:
    acme = ApiClient()
    card = pseudonyms.known_card(acme.client.pk, PresentedCard(**CARD))
    create(item=Item.CARD)
    activate(policy_using(STOLEN), staff("alan"), staff("grace"))
    assert submitted(acme, card=CARD)[0] == "completed"

    add(card.fingerprint)

    status, features = submitted(acme, card=CARD)
    assert (status, features.lists) == ("pending_review", (ListMatch(STOLEN, 2),))
    assert submitted(acme, card={**CARD, "token": "tok_18"})[1].lists == ()
    remove(card.fingerprint)
    assert submitted(acme, card=CARD)[0] == "completed"


def test_payment_takes_two_round_trips_with_a_matching_list() -> None:
    acme = ApiClient()
    create()
    add("DE")
    for _ in range(6):  # until the statements are prepared
        acme.submit(country="DE", reference=None)

    with round_trips() as counted:
        status = acme.submit(country="DE").status_code

    assert (status, counted.count) == (201, 2)


def test_lookup_reads_only_matching_entries_of_a_large_table() -> None:
    create(item=Item.REFERENCE_PREFIX)
    create(BINS)
    add("DE", name=BINS)
    Entry.objects.bulk_create(
        Entry(
            from_position=10**9 + number,
            list_id=id_of(STOLEN),
            key=f"reference_prefix:ORD-{number:06}",
            added_by="system:test",
            added_at=NOW,
            note_id=CUSTOMER,
        )
        for number in range(20_000)
    )
    keys = listable(customer_id=CUSTOMER, country="DE", reference="ORD-000123-" + "x" * 40)
    parameters: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "currency": "USD",
        "keys": "\n".join(keys),
        "at": NOW,
    }

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE lists_entry")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {risk_features._FEATURES}", parameters)
        plan = json.dumps(cursor.fetchone())

    assert "lists_entry_current" in plan
    assert sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan))) < 100, plan
    found = matches(country="DE", reference="ORD-000123-")
    assert found == (ListMatch(BINS, 2), ListMatch(STOLEN, 1))


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 5, 20])
@pytest.mark.parametrize("stored", [0, 500, 5_000])
def test_lookup_is_not_planned_again_for_each_payment(keys: int, stored: int) -> None:
    """With few keys as constants, each payment would plan the query again: 1 ms instead of 0.1."""
    create(item=Item.REFERENCE_PREFIX)
    _store(stored)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE lists_entry")
        cursor.execute("DEALLOCATE ALL")

    reference = "ORD-" + "1" * (keys - 2) if keys > 1 else None
    for _ in range(12):
        matches(reference=reference)

    _kept_plan()


@pytest.mark.slow
def test_plan_from_the_time_of_an_empty_table_is_replaced() -> None:
    """Regression: until autovacuum ran, each payment read all entries (200 ms for 100,000)."""
    create(item=Item.REFERENCE_PREFIX)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE lists_entry")
    for _ in range(12):  # until PostgreSQL keeps a generic plan
        matches(country="DE", reference="ORD-7")
    empty = _kept_plan()

    add(*(f"ORD-{number:03}" for number in range(40)))
    _store(5_000)

    assert matches(reference="ORD-017-1") == (ListMatch(STOLEN, 41),)
    assert "Seq Scan" in empty
    assert "lists_entry_current" in _kept_plan()


def _store(count: int) -> None:
    """Store entries without events."""
    Entry.objects.bulk_create(
        Entry(
            from_position=10**9 + number,
            list_id=id_of(STOLEN),
            key=f"reference_prefix:INV-{number:06}",
            added_by="system:test",
            added_at=NOW,
            note_id=CUSTOMER,
        )
        for number in range(count)
    )


def _kept_plan() -> str:
    """Return the lines of the lookup's generic plan that read entries. It must be in use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, parameter_types::text[], generic_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%FROM lists_entry%' AND statement NOT LIKE '%pg_prepared%'"
        )
        ((name, types, plans),) = cursor.fetchall()
        assert plans > 0
        given = {"uuid": f"'{CUSTOMER}'", "text": "'USD'"}
        values = ", ".join(given.get(each, "now()") for each in types)
        cursor.execute(f'EXPLAIN EXECUTE "{name}" ({values})')
        return "\n".join(line for (line,) in cursor.fetchall() if "lists_entry" in line)
