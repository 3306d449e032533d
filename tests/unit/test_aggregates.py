"""The bindings in payments.aggregates, and the independence of the events app from them."""

import re
from pathlib import Path
from typing import Final

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from msgspec import Struct

from payments import aggregates
from payments.aggregates import AGGREGATES, LIST_AGGREGATE, PAYMENT_AGGREGATE
from payments.domain.customer import BlockPlaced
from payments.domain.payment.events import (
    PaymentEvent,
    PaymentExpired,
    PaymentNoteAdded,
    ReviewAssigned,
    ReviewClaimed,
)
from payments.domain.risk.register import PolicyEvent
from payments.events.aggregates import Aggregate, AnyAggregate

# The test modules with golden samples of each aggregate's events, by the aggregate's name.
SAMPLES: Final = {
    "payment": "support/stored_*.py",
    "policy": "unit/domain/test_policy.py",
    "customer": "integration/customers/test_blocking.py",
    "list": "unit/domain/test_lists.py",
    "second_review": "support/second_review_events.py",
    "reveal": "unit/domain/test_reveal.py",
}
# The fields that SQL reads in the JSON of stored events, and the events that have them.
READ_BY_SQL: Final[dict[str, type[Struct]]] = {
    "client_id": PaymentEvent,
    "customer_id": PaymentEvent,
    "reviewer": ReviewClaimed,
    "active": PolicyEvent,
    "to": ReviewAssigned,
    "by": ReviewAssigned,
    "author": PaymentNoteAdded,
    "held_by": PaymentExpired,
}
TESTS: Final = Path(__file__).parents[1]


def test_aggregates_lists_every_aggregate_of_the_module() -> None:
    bound = [each for each in vars(aggregates).values() if isinstance(each, Aggregate)]
    assert list(AGGREGATES) == bound


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda each: each.name)
def test_every_event_has_a_golden_sample(aggregate: AnyAggregate) -> None:
    """Without a sample, a change that makes stored events unreadable would pass all tests."""
    samples = "".join(each.read_text() for each in TESTS.glob(SAMPLES[aggregate.name]))
    sampled = {each for each in aggregate.event_classes if f" {each.__name__}(" in samples}
    by_helper = {each for each in aggregate.event_classes if f'"{each.event_type}"' in samples}
    assert sampled | by_helper == set(aggregate.event_classes)


def test_snapshots_are_kept_only_where_a_test_demands_new_state_versions() -> None:
    """Before another aggregate keeps snapshots, extend tests/unit/domain/test_state_version.py."""
    kept = [each for each in AGGREGATES if each.state_version is not None]
    assert kept == [PAYMENT_AGGREGATE, LIST_AGGREGATE]


def test_check_refuses_two_events_with_one_stored_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockPlaced, "event_type", "customer.unblocked")
    with pytest.raises(SystemCheckError, match=r"two of event customer\.unblocked"):
        call_command("check")


def test_fields_that_sql_reads_are_fields_of_every_stored_version() -> None:
    """SQL does not use upcasts. Before you rename such a field, let the SQL read both names."""
    sources = [
        path.read_text()
        for package in ("payments", "readmodels")
        for path in (TESTS.parent / package).rglob("*")
        if path.suffix in {".py", ".sql"}
    ]

    found = {name for text in sources for name in re.findall(r"\bdata ->> '(\w+)'", text)}

    assert found == READ_BY_SQL.keys()
    for name, event_class in READ_BY_SQL.items():
        assert name in event_class.__struct_fields__


def test_events_app_does_not_mention_payments() -> None:
    """Only module paths and the permanent names of file formats may contain the word."""
    allowed = re.compile(r"payments[./]|(from|import) payments |payments-(seal|export|evidence)/")
    mentions = [
        f"{path.relative_to(TESTS.parent)}:{number}: {line}"
        for path in (TESTS.parent / "payments/events").rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "payment" in allowed.sub("", line.lower())
    ]

    assert mentions == []
