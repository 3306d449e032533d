"""Each search reads a bounded part of an index, for any typed text."""

import json
import re
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readmodels.queries.search import places
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Every tenth customer is called Maria, and the last one Zoe, but only in the column `words`.
_CUSTOMERS: Final = """
INSERT INTO customers_customer (id, client_id, reference, name, email, phone, created_at, words)
SELECT md5(n::text)::uuid, %s, 'Person-' || n, 'x', '', '', now() - n * interval '1 second',
       format('''n:%%s'' ''n:person%%s'' ''e:m%%s@example.com'' ''p:%%s''',
              CASE WHEN n = 20000 THEN 'zoe' WHEN n %% 10 = 0 THEN 'maria' ELSE 'jo' END, n, n,
              reverse((49151000000 + n)::text))::tsvector
  FROM generate_series(1, 20000) AS n
"""
_PAYMENTS: Final = """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM generate_series(1, 40000) AS n,
       (SELECT * FROM readmodels_paymentsummary LIMIT 1) AS payment,
       LATERAL jsonb_populate_record(NULL::readmodels_paymentsummary, to_jsonb(payment) ||
         jsonb_build_object('payment_id', md5(n::text)::uuid, 'customer_id', md5((n / 2)::text)::uuid,
                            'reference', 'Order-' || n, 'amount', 100 * (n % 40 + 1),
                            'currency', CASE WHEN n % 100 = 0 THEN 'JPY' ELSE 'USD' END,
                            'card_last4', CASE WHEN n % 50 = 0 THEN '4242' ELSE '' END,
                            'initiated_at', initiated_at - n * interval '1 second')) AS copy
"""
_WAITING: Final = """
UPDATE readmodels_paymentsummary
   SET status = 'pending_review', flagged_at = now(), review_deadline = now() + interval '1 day',
       customer_id = md5('10')::uuid
 WHERE reference LIKE 'Order-%00'
"""
# How the text is understood, the text, and the most buffers that a statement may read.
PAYMENT_SEARCHES: Final = {
    "id": ("c4ca4238", 50),
    "card": ("•4242", 250),
    "amount in a currency": ("USD 5.00", 250),
    "amount in any currency": ("5.00", 1_000),
    "common reference": ("order-", 4_000),
    "reference": ("order-3999", 200),
    "email": ("m19@example.com", 200),
    "phone": ("+49 151 000017", 200),
    "common name": ("maria", 4_000),
    "name": ("zoe", 200),
}
CUSTOMER_SEARCHES: Final = {
    "common name": ("maria", 4_000),
    "names": ("zoe person2", 200),
    "common reference": ("person-", 4_000),
}


def filled() -> None:
    client = ApiClient()
    client.submit()
    project()
    with connection.cursor() as cursor:
        cursor.execute(_CUSTOMERS, [client.client_id])
        cursor.execute(_PAYMENTS)
        cursor.execute("VACUUM ANALYZE readmodels_paymentsummary")
        cursor.execute("VACUUM ANALYZE customers_customer")


def read_buffers(url: str, typed: str) -> dict[str, int]:
    """Return how many buffers each statement of a search for payments or customers reads."""
    logged_in = browser(username=str(uuid4()))
    with CaptureQueriesContext(connection) as captured:
        answer = logged_in.get(url, {"q": typed})
    assert answer.status_code == 200
    assert answer.context["cl"].result_list, typed
    read = {}
    with connection.cursor() as cursor:
        for sql in (each["sql"] for each in captured):
            if sql.startswith("SET LOCAL enable_"):
                cursor.execute(sql.replace("SET LOCAL", "SET"))
            elif re.search(r'FROM "?(readmodels_paymentsummary|customers_customer|unnest)', sql):
                cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql)
                ((plan,),) = cursor.fetchall()
                plan = json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"]
                read[f"{sql} {plan}"] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return read


def test_searches_read_a_bounded_part_of_an_index() -> None:
    filled()
    for name, searches in (
        ("readmodels_paymentsummary", PAYMENT_SEARCHES),
        ("customers_customer", CUSTOMER_SEARCHES),
    ):
        url = reverse(f"admin:{name}_changelist")
        for case, (typed, most) in searches.items():
            read = read_buffers(url, typed)

            assert max(read.values()) <= most, (case, read)
            # The planner expects that few rows match a prefix, so it might sort all matches.
            assert not [each for each in read if "LIMIT 1001" in each and "'Sort'" in each], case


def test_search_of_the_queue_reads_only_payments_that_wait() -> None:
    """Regression: the search read all payments of up to 1,000 customers, even decided ones."""
    filled()
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        cursor.execute("VACUUM ANALYZE readmodels_paymentsummary")

    read = read_buffers(reverse("review_queue"), "maria")

    assert max(read.values()) <= 3_000, read


def test_bound_of_a_search_is_respected() -> None:
    filled()

    answer: Any = browser().get(reverse("admin:customers_customer_changelist"), {"q": "maria"})

    assert answer.context["cl"].search.bounds == [
        f"Only the first {places.MOST:,} matching customers are shown. Add another word."
    ]
