"""The bindings in payments.aggregates, and what `manage.py check` says of their names."""

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from payments import aggregates
from payments.domain.customer import BlockPlaced
from payments.events.aggregates import Aggregate


def test_aggregates_lists_every_aggregate_of_the_module() -> None:
    bound = [each for each in vars(aggregates).values() if isinstance(each, Aggregate)]
    assert list(aggregates.AGGREGATES) == bound


def test_check_refuses_two_events_with_one_stored_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockPlaced, "event_type", "customer.unblocked")
    with pytest.raises(SystemCheckError, match=r"E003.*|two of event customer\.unblocked"):
        call_command("check")
