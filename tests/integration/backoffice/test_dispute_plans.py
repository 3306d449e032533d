"""Each filter of the dispute lists reads few of a hundred thousand rows."""

import json
import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.domain.payment.codes import DisputeKind, DisputeReason
from readmodels.models import DisputeSummary
from tests.support.api import ApiClient, body_of, project
from tests.support.backoffice import browser
from tests.support.disputing import note
from tests.support.example_commands import close_dispute, open_dispute, respond_to_dispute
from tests.support.examples import usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Newer copies of the newest dispute, which is open. One in three is lost.
_MANY = """
INSERT INTO readmodels_disputesummary
SELECT copy.* FROM generate_series(1, 100000) AS n,
       (SELECT * FROM readmodels_disputesummary ORDER BY opened_at DESC LIMIT 1) AS newest,
       LATERAL jsonb_populate_record(NULL::readmodels_disputesummary, to_jsonb(newest) ||
         jsonb_build_object('id', gen_random_uuid(), 'payment_id', gen_random_uuid(),
                            'dispute_id', 'copy-' || n, 'customer_id', md5((n % 5000)::text)::uuid,
                            'opened_at', opened_at + n * interval '1 second',
                            'due_at', due_at - n * interval '1 second') ||
         CASE WHEN n % 3 = 0 THEN '{"status": "closed", "outcome": "lost", "lost_amount": 5,
           "closed_at": "2026-01-01T00:00:00Z", "due_at": "9999-01-01T00:00:00Z"}'::jsonb
              ELSE '{}'::jsonb END) AS copy
"""
QUERIES = [
    ("disputes", ""),
    ("disputes", "status__exact=under_review"),
    ("disputes", "kind__exact=inquiry"),
    ("disputes", "reason__exact=duplicate"),
    ("disputes", "client={bolt}"),
    ("admin:readmodels_disputesummary_changelist", ""),
    ("admin:readmodels_disputesummary_changelist", "status__exact=under_review"),
    ("admin:readmodels_disputesummary_changelist", "outcome__exact=won"),
    ("admin:readmodels_disputesummary_changelist", "outcome__exact=lost"),
    ("admin:readmodels_disputesummary_changelist", "kind__exact=inquiry"),
    ("admin:readmodels_disputesummary_changelist", "reason__exact=duplicate"),
    ("admin:readmodels_disputesummary_changelist", "client={bolt}"),
    ("admin:readmodels_disputesummary_changelist", "q=copy-77"),
    ("admin:readmodels_disputesummary_changelist", "q={payment}"),
]


def test_filters_of_disputes_read_few_rows() -> None:
    bolt, acme = ApiClient("Bolt"), ApiClient("Acme")
    now = timezone.now()
    opened = {"amount": usd(1), "opened_at": now - timedelta(days=5), "at": now}
    rare = UUID(body_of(bolt.submit(currency="USD"))["id"])
    note(
        rare,
        open_dispute(**opened, kind=DisputeKind.INQUIRY, reason=DisputeReason.DUPLICATE),
        respond_to_dispute(responded_at=now - timedelta(days=1), at=now),
        close_dispute(
            dispute_id="won",
            outcome="won",
            lost_amount=usd(0),
            closed_at=now - timedelta(days=1),
            at=now,
        ),
        client=bolt.client_id,
    )
    common = UUID(body_of(acme.submit(currency="USD"))["id"])
    newest = opened | {"opened_at": now, "respond_by": now + timedelta(days=9)}
    note(common, open_dispute(**newest), client=acme.client_id)
    project()
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
        cursor.execute("ANALYZE readmodels_disputesummary")
    assert DisputeSummary.objects.filter(closed_at=None).count() > 60_000
    logged_in = browser()

    for address, query in QUERIES:
        filled = query.format(bolt=bolt.client_id, payment=rare)
        with CaptureQueriesContext(connection) as captured:
            listing = logged_in.get(f"{reverse(address)}?{filled}").context["cl"]
        assert listing.result_list, (address, query)
        (statement,) = (
            each["sql"]
            for each in captured
            if '"network_reason_code"' in each["sql"] and "LIMIT 51" in each["sql"]
        )
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement)
            plan = json.dumps(cursor.fetchone())
        passed_by = sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan)))
        assert passed_by < 200, (address, query, plan)
        assert "Seq Scan" not in plan, (address, query, plan)
