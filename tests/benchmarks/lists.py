"""The time that a page of a back-office list takes among five million payments, for each filter.

The time is from the request to the finished HTML, in this process.
"""

import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count
from django.test import Client as Browser

from payments import actors
from payments.application import corrections, submission
from payments.application.dispatch import CommandContext
from payments.clients.models import Client
from payments.customers import changes
from payments.customers.models import Customer
from payments.domain.methods import Method
from payments.domain.payment.codes import RefundReason
from payments.domain.payment.commands import RefundPayment
from payments.domain.payment.state import Status
from payments.domain.risk.policy import Band
from payments.traffic import demo, simulation
from readmodels import labels
from readmodels.admin.review.queue_filters import STANDINGS
from readmodels.engine.runner import catch_up
from readmodels.models import EventIndex, PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.projections.event_index import EVENT_TYPES
from readmodels.rebuild import catalogue
from tests.benchmarks.harness import Figure, in_turns

_PAYMENTS: Final = int(os.environ.get("LISTS_PAYMENTS", "5000000"))
# Payments that clients submit. All others are copies of their rows in the read models.
_SUBMITTED: Final = 5_000
_OVER: Final = timedelta(days=3 * 365)
_REFUNDED: Final = 40  # one in this many payments
_CUSTOMER_COPIES: Final = 50
_ROUNDS: Final = 3
_GOAL: Final = 0.3  # seconds
_DEPTH: Final = 1.3  # a deep page may take this many times as long as the first
# Payments between two projections. If there were more, the velocity would be too old, and every
# large payment would wait for review.
_PROJECTED: Final = 200

_COPIES: Final = {
    "customers_customer": """
INSERT INTO customers_customer (id, client_id, reference, name, email, phone, blocked, created_at, words)
SELECT md5(id::text || n)::uuid, client_id, reference || '-' || n,
       name || CASE name WHEN '' THEN '' ELSE ' ' || n END, email, phone, blocked, created_at,
       words || CASE name WHEN '' THEN NULL ELSE array_to_tsvector(ARRAY['n:' || n]) END
  FROM customers_customer, generate_series(1, %(copies)s) AS n
""",
    "readmodels_paymentsummary": """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM readmodels_paymentsummary AS payment, generate_series(1, %(copies)s) AS n,
       LATERAL jsonb_populate_record(payment, jsonb_build_object(
         'payment_id', md5(payment_id::text || n)::uuid,
         'customer_id', md5(customer_id::text || n %% %(customers)s + 1)::uuid,
         'reference', reference || '-' || n,
         'initiated_at', initiated_at - n * interval '17 seconds')) AS copy
""",
    "readmodels_eventindex": """
INSERT INTO readmodels_eventindex
SELECT copy.* FROM readmodels_eventindex AS event, generate_series(1, %(copies)s) AS n,
       LATERAL jsonb_populate_record(event, jsonb_build_object(
         'position', position + n * (SELECT max(position) FROM events_event),
         'aggregate_id', md5(aggregate_id::text || n)::uuid,
         'correlation_id', md5(correlation_id || n),
         'recorded_at', recorded_at - n * interval '17 seconds')) AS copy
""",
}


_LIST: Final = "/admin/readmodels/paymentsummary/"
_EVENTS: Final = "/admin/readmodels/eventindex/"
_QUEUE: Final = "/admin/reviews/"
_CUSTOMERS: Final = "/admin/customers/customer/"
_FIND: Final = "/admin/find/"


def run() -> list[Figure]:
    """Time the pages of each list. Raises AssertionError if a page is not served."""
    _fill()
    browser = _staff()
    addresses = list(dict.fromkeys(_addresses()))
    seconds = {address: _timed(browser, address) for address in addresses}
    slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)
    for address in slowest[:20]:
        print(f"{seconds[address] * 1_000:6.0f} ms  {address}", file=sys.stderr)
    worst = seconds[slowest[0]]
    deep = {
        "the middle": _behind(PaymentSummary.objects.count() // 2),
        "the last": _behind(PaymentSummary.objects.count() - 10),
    }
    turns = {"first": _LIST, **deep}
    medians = in_turns({name: partial(_timed, browser, address) for name, address in turns.items()})
    return [
        Figure(
            what=f"the slowest of {len(seconds)} lists of {_PAYMENTS:,} payments, {slowest[0]}"
            f" ({worst * 1_000:.0f} ms), against {_GOAL * 1_000:.0f} ms",
            rate=1 / worst,
            baseline=1 / _GOAL,
            unit="/s",
            goal=1,
        ),
        *(
            Figure(
                what=f"{name} page of the payments, against the first",
                rate=1 / medians[name],
                baseline=1 / medians["first"],
                unit="/s",
                goal=1 / _DEPTH,
            )
            for name in deep
        ),
    ]


def _addresses() -> Iterator[str]:
    """Return each filter of each list, each pair of filters, and each search."""
    payment = PaymentSummary.objects.order_by("initiated_at")[0]
    event = EventIndex.objects.exclude(correlation_id=None).order_by("recorded_at")[0]
    customer = Customer.objects.exclude(name="")[0]
    days = [
        f"initiated_at_from={first:%Y-%m-%d}&initiated_at_to={last:%Y-%m-%d}"
        for first, last in _ranges(payment.initiated_at)
    ]
    currencies = [f"currency={code}" for code in ("USD", "JPY", "KWD")]
    methods = [f"method__exact={method}" for method in Method]
    bands = [f"risk_band__exact={band}" for band in Band]
    statuses = [f"status__exact={status}" for status in Status]
    reviewed = [f"requires_review__exact={flag}" for flag in (0, 1)]
    related = list(_related())
    yield from _questions(_LIST, statuses, methods, bands, currencies, reviewed, days, related)
    standings = [f"standing={name}" for name, _ in STANDINGS]
    flags = [f"{name}__exact={flag}" for name in ("four_eyes", "reject_advised") for flag in (0, 1)]
    clients = [f"client={payment.client_id}"]
    ages = [f"age={age}" for age in ("1h", "5d")]
    amounts = [f"currency=USD&amount_{end}=15000.00" for end in ("from", "to")]
    sorts = ["sort=age", "sort=amount&currency=USD"]
    yield from _questions(
        _QUEUE,
        standings,
        bands,
        currencies,
        flags,
        clients,
        ages,
        amounts,
        sorts,
        ["decidable=me"],
    )
    yield f"{_QUEUE}poll/?since=0&sort=age&standing=free&shown={payment.pk.hex}"
    moments = [
        f"recorded_at_from_0={first:%Y-%m-%d}&recorded_at_to_0={last:%Y-%m-%d}"
        for first, last in _ranges(event.recorded_at)
    ]
    types = [f"event_type={name}" for name in EVENT_TYPES]
    actors_ = [f"actor={name}" for name in (event.actor, "ada", "nobody")]
    yield from _questions(_EVENTS, types, actors_, moments)
    yield f"{_EVENTS}?correlation_id={event.correlation_id}"
    yield from _questions(_CUSTOMERS, ["blocked__exact=0", "blocked__exact=1"])
    people = (
        customer.reference,
        str(customer.reference)[:4],
        customer.name,
        "Amara",
        "okafor 7",
        "a",
        "amara@",
        "0151 23456789",
        "6789",
    )
    amount = labels.amount(payment.amount, payment.currency)
    own = (payment.pk, str(payment.pk)[:8], payment.reference, str(payment.reference)[:3], "4242")
    for list_, terms in {
        _LIST: (*people, *own, amount, f"{payment.amount}", "10", "9.99", "nothing"),
        _QUEUE: (*people, *own, amount, "nothing"),
        _FIND: (*people, *own, amount, "nothing"),
        _EVENTS: (payment.pk, event.position, "nothing"),
        _CUSTOMERS: (*people, str(customer.pk)[:8], "nothing"),
    }.items():
        yield from (f"{list_}?{urlencode({'q': term})}" for term in terms)
    for other in ("dailystatistics", "parkedevent", "discardedevent", "checkpoint"):
        yield f"/admin/readmodels/{other}/"
    yield "/admin/"


def _related() -> Iterator[str]:
    """Return the filters by client, customer and card, each with its most frequent value."""
    for name, column in (
        ("client", "client_id"),
        ("customer", "customer_id"),
        ("card", "card_fingerprint"),
    ):
        rows = PaymentSummary.objects.exclude(**{column: None}).values(column)
        busiest = rows.annotate(payments=Count("pk")).order_by("-payments")[0]
        yield f"{name}={busiest[column]}"


def _questions(address: str, *filters: list[str]) -> Iterator[str]:
    yield address
    for one in itertools.chain(*filters):
        yield f"{address}?{one}"
    for some, others in itertools.combinations(filters, 2):
        yield from (f"{address}?{one}&{other}" for one in some for other in others)


def _ranges(first: datetime) -> list[tuple[datetime, datetime]]:
    """Return the first month, the middle day, the whole time, and a month before all payments."""
    last = datetime.now(UTC)
    middle = first + (last - first) / 2
    return [
        (first, first + timedelta(days=30)),
        (middle, middle),
        (first, last),
        (first - timedelta(days=60), first - timedelta(days=30)),
    ]


def _behind(rank: int) -> str:
    """Return the URL of the page that follows the payment with this rank."""
    at, payment_id = PaymentSummary.objects.values_list("initiated_at", "payment_id")[rank]
    return f"{_LIST}?{urlencode({'after': f'{at.isoformat()}~{payment_id}'})}"


def _timed(browser: Browser, address: str) -> float:
    """Return the median time of a few requests in seconds."""
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        answer = browser.get(address)
        seconds.append(time.perf_counter() - began)
        # A slow query gets a 503, which is measured too. An unknown filter would get a redirect.
        assert answer.status_code in {200, 503}, (address, answer.status_code)
    return statistics.median(seconds)


def _staff() -> Browser:
    user, _ = get_user_model().objects.get_or_create(
        username="lists", defaults={"is_staff": True, "is_superuser": True}
    )
    browser = Browser(headers={"Host": "127.0.0.1"})
    browser.force_login(user)
    return browser


def _fill() -> None:
    demo.seed("only-for-benchmarks")
    shop = Client.objects.get(name=demo.SHOP)
    moments = sorted(
        itertools.islice(simulation.moments(1, until=datetime.now(UTC), over=_OVER), _SUBMITTED)
    )
    for number, (attempt, at) in enumerate(zip(simulation.attempts(1), moments, strict=False)):
        if number % _PROJECTED == 0:
            _project()
        _submit(shop, attempt, at, refunded=number % _REFUNDED == 0)
    _project()
    contacts = {"name": "Amara Okafor", "email": "amara@example.com", "phone": "+4915123456789"}
    for named in Customer.objects.filter(name="", pk__lt=UUID(int=2**127)):
        changes.store(named, contacts)
    copies = _PAYMENTS // PaymentSummary.objects.count()
    for table, statement in _COPIES.items():
        number = _CUSTOMER_COPIES if table == Customer._meta.db_table else copies
        _copy(table, statement, {"copies": number, "customers": _CUSTOMER_COPIES})


def _copy(table: str, statement: str, parameters: dict[str, int]) -> None:
    """Copy rows by executing a statement, without the table's secondary indexes during the copy."""
    indexes = catalogue.describe("public", table).indexes
    with connection.cursor() as cursor:
        for name, _, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute(statement, parameters)
        for _, create, _ in indexes:
            cursor.execute(create)
        cursor.execute(f"VACUUM ANALYZE {table}")


def _submit(shop: Client, attempt: simulation.Attempt, at: datetime, *, refunded: bool) -> None:
    request = CommandContext(
        actor=actors.client(shop.pk), key=attempt.key, correlation_id=str(uuid4())
    )
    payment = submission.submit(
        client_id=shop.pk,
        customer_reference=attempt.customer_reference,
        amount=attempt.amount,
        method=attempt.method,
        reference=attempt.reference,
        card=attempt.card,
        at=at,
        key=attempt.key,
        context=request,
    ).payment
    if refunded and payment.status is Status.COMPLETED:
        refund = RefundPayment(
            payment_id=payment.payment_id,
            client_id=shop.pk,
            refund_id=uuid4(),
            amount=None,
            reason=RefundReason.REQUESTED_BY_CUSTOMER,
            at=at + timedelta(days=1),
        )
        corrections.handle(refund, request)


def _project() -> None:
    for projection in PROJECTIONS.values():
        catch_up(projection)
