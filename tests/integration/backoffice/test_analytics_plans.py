"""Sums over open reviews read only the queue, however many payments are finished."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from readmodels.queries import deadlines
from tests.support.reviewing import waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Finished copies of the payment that waits.
_MANY = """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM generate_series(1, 30000) AS n, (SELECT * FROM readmodels_paymentsummary) AS one,
       LATERAL jsonb_populate_record(NULL::readmodels_paymentsummary, to_jsonb(one) ||
         jsonb_build_object('payment_id', md5(n::text)::uuid, 'status', 'completed')) AS copy
"""


def test_sums_of_open_reviews_read_no_finished_payment() -> None:
    waiting()
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
        cursor.execute("ANALYZE readmodels_paymentsummary")
    now = datetime.now(UTC)
    parameters: Any = {"at": now, "soon": now, "ages": list(deadlines.AGES), "most": deadlines.MOST}

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + deadlines._SUMS, parameters)
        plan = json.dumps(cursor.fetchone())

    assert "Seq Scan" not in plan
    assert re.findall(r'"Index Name": "(\w+)"', plan) == ["payment_by_deadline"]
    assert sum(each.count for each in deadlines.waiting(now)) == 1
