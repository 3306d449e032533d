"""The events that an endpoint has not received are counted up to a limit."""

import pytest

from readmodels.models import EventIndex
from readmodels.webhooks import lag
from tests.support.api import ApiClient, project
from tests.support.roundtrips import round_trips
from tests.support.webhooks import URL, endpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_measure_shows_that_counting_stopped_at_its_limit(acme: ApiClient) -> None:
    made = endpoint()
    acme.submit()
    project()
    all_read = lag.measure([made], limit=2)[made.pk]
    acme.submit()
    project()
    cut = lag.measure([made], limit=3)[made.pk]

    # A payment has two events, of which one is public.
    assert (all_read.events, all_read.more) == (1, False)
    assert (cut.events, cut.more) == (2, True)


def test_measure_takes_one_round_trip_for_many_endpoints(acme: ApiClient) -> None:
    made = [endpoint(url=f"{URL}/{number}") for number in range(5)]
    lag.measure(made)  # prepares the statement

    with round_trips() as trips:
        found = lag.measure(made)

    assert len(found) == 5
    assert trips.count == 1


@pytest.mark.parametrize(("types", "number"), [((), 2), (("payment.failed",), 0)])
def test_count_between_counts_the_events_that_the_endpoint_receives(
    acme: ApiClient, types: tuple[str, ...], number: int
) -> None:
    made = endpoint(event_types=types)
    acme.submit()
    acme.submit()
    ApiClient("Bolt").submit()
    project()
    last = EventIndex.objects.latest("position").position

    assert lag.count_between(made, after=0, upto=last) == (number, False)
    assert lag.count_between(made, after=last, upto=last + 10) == (0, False)


def test_count_between_stops_counting_at_its_limit(
    acme: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "COUNTED_TO", 3)
    made = endpoint()
    acme.submit()
    acme.submit()
    project()
    last = EventIndex.objects.latest("position").position

    # The limit lets only three of the four events be counted.
    assert lag.count_between(made, after=0, upto=last) == (2, True)
