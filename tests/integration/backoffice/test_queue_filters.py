"""The filters and orders of the review queue, and "Claim next" within them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.clients.models import Client
from payments.events.models import Event
from readmodels.admin.base.browsing import PAGE
from readmodels.models import PaymentSummary
from readmodels.queries import review_queue
from tests.support.api import FOUR_EYES, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.reviewing import NEXT, QUEUE, do, next_key, payment_page, rows, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def change(payment: str, **columns: Any) -> None:
    PaymentSummary.objects.filter(pk=payment).update(**columns)


def ago(**units: float) -> Any:
    return timezone.now() - timedelta(**units)


def test_queue_filters_by_client_amount_age_and_currency() -> None:
    dollars, large, euros, old = waiting(4)
    other = Client.objects.create(name="Bolt")
    change(dollars, client_id=other.pk)
    change(large, amount=20_000_00)
    change(euros, currency="EUR")
    change(old, flagged_at=ago(hours=30))
    grace = browser()

    for query, found in {
        f"client={other.pk}": [dollars],
        "currency=EUR": [euros],
        "currency=USD&amount_from=20,000.00": [large],
        "currency=USD&amount_to=$15,000.00": [dollars, old],
        "currency=USD&amount_from=15000&amount_to=15000": [dollars, old],
        "currency=EUR&amount_from=15000.01": [],
        "age=1d": [old],
        "age=2d": [],
        f"age=1d&currency=USD&amount_to=15000&standing=free&client={other.pk}": [],
        "age=1d&currency=USD&amount_to=15000&standing=free&decidable=me": [old],
    }.items():
        assert rows(grace, f"?{query}") == found, query


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("amount_from=100", "Enter a currency as well."),
        ("amount_to=100&currency=nonsense", "Enter a currency as well."),
        ("currency=USD&amount_from=much", "is not a decimal number in USD."),
        ("currency=JPY&amount_to=10.50", "10.50 has decimals, but JPY has none."),
        ("currency=USD&amount_from=2&amount_to=1", "The range ends before it begins."),
        ("age=100d", "This is not one of the choices."),
        ("decidable=you", "This is not one of the choices."),
        ("client=nobody", "This is not one of the choices."),
    ],
)
def test_queue_reports_invalid_filters_at_the_field(query: str, problem: str) -> None:
    waiting()
    grace = browser()

    answer = grace.get(f"{QUEUE}?{query}")

    assert answer.context["cl"].result_list == []
    assert text(answer).count(problem) == 2  # above the list, and at the field
    assert "No matching payments" in text(answer)


def test_queue_shows_each_person_what_they_may_decide() -> None:
    free, mine, theirs, escalated, overdue = waiting(5)
    (second,) = waiting(amount=FOUR_EYES["amount"])
    grace, ann = browser(), browser("analyst", "ann")
    do(ann, mine, "claim")
    do(grace, theirs, "claim")
    do(grace, escalated, "escalate", note="Odd.")
    do(grace, second, "approve")
    project()
    change(overdue, review_deadline=ago(seconds=1))

    assert rows(ann, "?decidable=me") == [free, mine]
    assert rows(grace, "?decidable=me") == [free, theirs, escalated]
    assert rows(browser("risk manager", "rita"), "?decidable=me") == [free]
    assert rows(browser("viewer", "vic"), "?decidable=me") == []


def test_queue_is_ordered_by_deadline_age_or_amount() -> None:
    one, two, three = waiting(3)
    change(one, amount=2, flagged_at=ago(days=1))
    change(two, amount=3, flagged_at=ago(days=3))
    change(three, amount=1, flagged_at=ago(days=2))
    grace = browser()

    assert rows(grace, "?sort=age") == [two, three, one]
    assert rows(grace, "?sort=amount&currency=usd") == [two, one, three]
    assert rows(grace, "?sort=nonsense") == [one, two, three]
    # Amounts of different currencies have no order. The page offers the currencies that wait.
    answer = grace.get(f"{QUEUE}?sort=amount")
    assert [str(row.pk) for row in answer.context["cl"].result_list] == [one, two, three]
    assert "To order by amount, choose a currency" in text(answer)
    assert "Highest amount in USD" in text(answer)


@pytest.mark.parametrize("view", ["sort=age", "sort=amount&currency=USD"])
def test_pages_of_each_order_meet_without_gap(view: str) -> None:
    payments = waiting(PAGE + 3)
    grace = browser()

    first = grace.get(f"{QUEUE}?{view}").context["cl"]
    second = grace.get(QUEUE + first.next_url).context["cl"]
    again = grace.get(QUEUE + second.previous_url).context["cl"]

    shown = [str(row.pk) for row in [*first.result_list, *second.result_list]]
    assert sorted(shown) == sorted(payments)
    assert len(second.result_list) == 3
    assert again.result_list == first.result_list


# Payments of other clients: in a table with a single row, all indexes cost the same.
_OTHERS = """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM generate_series(1, 1000) AS n, readmodels_paymentsummary AS one,
       LATERAL jsonb_populate_record(NULL::readmodels_paymentsummary, to_jsonb(one) || jsonb_build_object(
         'payment_id', md5(n::text)::uuid, 'client_id', md5(n::text)::uuid, 'reference', NULL)) AS copy
"""


@pytest.mark.parametrize(
    ("view", "index"),
    [
        ("", "payment_by_deadline"),
        ("sort=age", "review_by_age"),
        ("sort=amount&currency=USD", "review_by_amount"),
        ("client={client}", "review_by_client"),
        ("standing=assigned", "payment_assigned"),
    ],
)
def test_orders_and_filters_of_the_queue_use_their_index(view: str, index: str) -> None:
    waiting()
    grace = browser()
    address = f"{QUEUE}?{view.format(client=Client.objects.get().pk)}"
    with CaptureQueriesContext(connection) as queries:
        grace.get(address)

    (page,) = [each["sql"] for each in queries if f"LIMIT {PAGE + 1}" in each["sql"]]

    # The table is small, so other plans are switched off. Without the index, a sort would remain.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        cursor.execute("ANALYZE readmodels_paymentsummary")
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        if index != "payment_by_deadline":
            cursor.execute("DROP INDEX payment_by_deadline")  # it would be as cheap for so few rows
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        transaction.set_rollback(True)
    assert index in plan
    assert "Sort" not in plan


def test_currencies_of_the_queue_are_those_that_wait() -> None:
    payments = waiting(4)
    for payment, currency in zip(payments, ("JPY", "EUR", "EUR", "USD"), strict=True):
        change(payment, currency=currency)
    change(payments[3], status="completed")

    assert review_queue.currencies() == ["EUR", "JPY"]


def claimed(answer: Any) -> str:
    """Return the URL of the claimed payment without the query that leads back to the queue."""
    return str(answer.headers["Location"]).partition("?")[0]


def claim(person: Any, view: dict[str, str]) -> str:
    answer = person.post(f"{NEXT}?{urlencode(view)}", next_key(person))
    return claimed(answer)


def test_claim_next_claims_the_first_payment_of_the_view() -> None:
    urgent, large, old = waiting(3)
    change(large, amount=99_000_00)
    change(old, flagged_at=ago(days=3))

    people = [browser("analyst", name) for name in ("ann", "ben", "cem")]

    assert claim(people[0], {"sort": "amount", "currency": "USD"}) == payment_page(large)
    project()
    assert claim(people[1], {"age": "2d"}) == payment_page(old)
    project()
    assert claim(people[2], {"sort": "age", "standing": "free"}) == payment_page(urgent)


def test_queue_page_sends_its_view_with_claim_next() -> None:
    waiting()
    page = browser().get(f"{QUEUE}?currency=USD&sort=amount&q=x&standing=").content.decode()

    assert f'action="{NEXT}?currency=USD&amp;sort=amount"' in page


def test_claim_next_without_a_payment_in_the_view_returns_to_the_view() -> None:
    waiting()
    grace = browser()

    answer = grace.post(f"{NEXT}?currency=EUR", next_key(grace), follow=True)

    assert answer.redirect_chain == [(f"{QUEUE}?currency=EUR", 302)]
    assert "There is nothing left in this view that you can decide." in text(answer)


@pytest.mark.parametrize("query", ["currency=nonsense", "age=%00", "amount_from=1", "client=x"])
def test_claim_next_claims_nothing_in_an_invalid_view(query: str) -> None:
    """Without the check, an invalid filter would be ignored, or reported twice."""
    waiting()
    grace = browser()

    answer = grace.post(f"{NEXT}?{query}", next_key(grace), follow=True)

    assert text(answer).count("Filter by") == 1
    assert not Event.objects.filter(event_type="payment.review_claimed").exists()


def test_claim_next_ignores_what_is_no_filter() -> None:
    (payment,) = waiting()
    grace = browser()
    query = "nonsense=1&amount__gte=5&_to_field=x&_popup=1&q=y&after=z"

    answer = grace.post(f"{NEXT}?{query}", next_key(grace))

    assert claimed(answer) == payment_page(payment)


def test_claim_next_repetition_in_another_view_finds_the_same_payment() -> None:
    first, _ = waiting(2)
    grace = browser()
    sent = next_key(grace)
    grace.post(NEXT, sent)

    answer = grace.post(f"{NEXT}?currency=EUR", sent)

    assert claimed(answer) == payment_page(first)


def test_claim_next_in_a_view_returns_the_held_payment_first() -> None:
    first, second = waiting(2)
    change(second, flagged_at=ago(days=3))
    grace = browser()
    do(grace, first, "claim")

    assert claim(grace, {"age": "1d"}) == payment_page(first)


def test_view_locks_offered_payments() -> None:
    """Without SKIP LOCKED, the second request times out. Without a lock, it gets the first row."""
    oldest, older, _ = waiting(3)
    change(oldest, flagged_at=ago(days=3))
    change(older, flagged_at=ago(days=2))

    def offers() -> Iterator[Any]:
        return review_queue.claimable(
            reviewer="staff:0",
            senior=False,
            client_id=None,
            at=timezone.now(),
            rows=review_queue.pending().filter(currency="USD"),
            order=review_queue.BY_AGE,
        )

    def ask(_: int) -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            return str(next(offers()))

    with transaction.atomic():
        assert str(next(offers())) == oldest
        assert at_once(1, ask) == [older]


def test_concurrent_claim_next_in_one_view_claims_different_payments() -> None:
    inside = waiting(4)
    outside = waiting(2)
    for payment in inside:
        change(payment, flagged_at=ago(days=3))
    people = [browser("analyst", f"ann{number}") for number in range(4)]
    keys = [next_key(person) for person in people]

    def ask(number: int) -> str:
        return claimed(people[number].post(f"{NEXT}?age=1d&sort=age", keys[number]))

    assert sorted(at_once(4, ask)) == sorted(map(payment_page, inside))
    project()
    assert rows(people[0], "?standing=free") == outside
