"""How PostgreSQL reads the event index if one client has nearly all events."""

from uuid import uuid4

import pytest

from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks import lag, metrics, waking
from tests.support.api import ApiClient
from tests.support.concurrency import session
from tests.support.examples import NOON
from tests.support.webhooks import endpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

VALUES = {
    "at": NOON,
    "limit": 1_000,
    "public": list(EVENT_TYPES),
    "counted_to": 1_000,  # only few entries, so that only the index by client is cheap
    "endpoints": [uuid4()],
}


@pytest.mark.parametrize(
    "statement",
    [waking._DUE, lag._LAG_OF_EACH, metrics._OLDEST],
    ids=["due", "lag", "oldest"],
)
def test_query_reads_only_the_entries_after_the_cursor(statement: str) -> None:
    """Its statistics make PostgreSQL read the whole index for endpoints without new events."""
    for name in ("Acme", "Bolt", "Cord"):
        endpoint(name)
    with session() as reader:
        reader.execute(
            "INSERT INTO readmodels_eventindex (position, aggregate_id, version, event_type, actor,"
            " command, occurred_at, recorded_at, client_id)"
            " SELECT n, gen_random_uuid(), 1, 'payment.processed', '', '', now(), now(), %s"
            " FROM generate_series(1, 20000) AS n",
            (ApiClient("Acme").client_id,),
        )
        reader.execute("ANALYZE readmodels_eventindex, webhooks_endpoint")

        lines = [row[0] for row in reader.execute(f"EXPLAIN {statement}", VALUES)]

    plan = "\n".join(lines)
    assert "event_by_client" in plan
    assert "Seq Scan on readmodels_eventindex" not in plan
