"""The columns in which the readings of a search are looked up, and the first rows of each.

Every statement about payments and customers reads a bounded part of one index, for any typed text.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import F, RawSQL, Value
from django.db.models.functions import Collate, Lower
from msgspec import Struct

from payments import pseudonyms
from payments.clients.models import Client
from payments.customers import words
from payments.customers.models import Customer
from readmodels.models import PaymentSummary
from readmodels.queries.keyset import Order
from readmodels.queries.search.terms import (
    Amount,
    AnyTerm,
    Email,
    IdStart,
    LastFour,
    Name,
    Phone,
    Reference,
)

# The most customers, references or ids that one reading looks up.
MOST: Final = 1_000
# Greater than any character of a stored text.
_LAST: Final = "\U0010ffff"

_BY_WORDS: Final = """
SELECT id FROM customers_customer WHERE words IS NOT NULL AND words @@ %s::tsquery LIMIT %s
"""


@contextmanager
def _without(*plans: str) -> Iterator[None]:
    """Exclude kinds of plans that are fast only if the planner estimates the matches correctly.

    A typed text may match one row or all of them, at the beginning of the table or at its end.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for plan in plans:
            cursor.execute(f"SET LOCAL {plan} TO off")
        yield
        for plan in plans:
            cursor.execute(f"SET LOCAL {plan} TO DEFAULT")


class Place(Struct, frozen=True, kw_only=True):
    """Columns, and the values to look up in them. The nth values of all columns belong together.

    `label` is how the typed text was read. `bound` is a sentence about matches that were left out,
    if there were too many. `condition` lets a partial index apply.
    """

    kind: str
    label: str
    columns: Mapping[str, Sequence[Any]]
    condition: Q = Q()
    bound: str = ""


def exact(label: str, **columns: Any) -> Place:
    """Return the place for one value in each of the columns."""
    return Place(
        kind=next(iter(columns)),
        label=label,
        columns={name: [value] for name, value in columns.items()},
    )


def payments(term: AnyTerm) -> Iterator[Place]:
    """Yield where payments are looked up for the term."""
    match term:
        case IdStart():
            ids = PaymentSummary.objects.filter(pk__range=term.range).order_by("pk")
            yield _first(term, "payment_id", ids, of="payments")
        case LastFour(digits=digits):
            yield Place(
                kind=term.kind,
                label=str(term),
                columns={"card_last4": [digits]},
                condition=Q(card_last4__gt=""),
            )
        case Amount(typed=typed):
            codes, amounts = zip(*typed.minor_units, strict=True)
            yield Place(
                kind=term.kind, label=str(term), columns={"currency": codes, "amount": amounts}
            )
        case Reference(text=text):
            found = PaymentSummary.objects.filter(reference__isnull=False)
            yield _first(term, "payment_id", _beginning(found, text), of="references")
        case Email() | Phone() | Name():
            pass
    yield from customers(term, column="customer_id")


def customers(term: AnyTerm, *, column: str = "id") -> Iterator[Place]:
    """Yield where customers are looked up for the term. `column` holds their ids."""
    match term:
        case IdStart():
            ids = Customer.objects.filter(pk__range=term.range).order_by("pk")
            yield _first(term, column, ids, of="customers")
        case Reference(text=text):
            found = Customer.objects.filter(reference__isnull=False)
            place = _first(term, column, _beginning(found, text), of="customers")
            yield _with(place, column, _erased(text))
        case Name(query=query):
            yield _by_words(term, column, query)
        case Email(text=text):
            yield _by_words(term, column, words.email_query(text))
        case Phone(digits=digits):
            yield _by_words(term, column, words.phone_query(digits))
        case LastFour() | Amount():
            pass


def first_keys(rows: QuerySet[Any], place: Place, order: Order, *, size: int) -> list[Any]:
    """Return the primary keys of the place's first `size` rows in this order.

    For each tuple of values, the database reads the first rows of an index that ends in this order.
    So it never sorts all matching rows.
    """
    if not all(place.columns.values()):
        return []
    given = {name: RawSQL(f"wanted.{name}", ()) for name in place.columns}  # noqa: S611 - names of columns
    key = rows.model._meta.pk
    needed = dict.fromkeys((key.name, *order.fields))
    wanted = rows.filter(place.condition, **given).values_list(*needed)[:size]
    try:
        found, parameters = wanted.query.sql_with_params()
    except EmptyResultSet:
        return []
    columns = [rows.model._meta.get_field(name) for name in place.columns]
    arrays = ", ".join(f"%s::{column.db_type(connection)}[]" for column in columns)
    names = ", ".join(place.columns)
    way = "ASC" if order.ascending else "DESC"
    by = ", ".join(
        f"found.{rows.model._meta.get_field(each).column} {way}" for each in order.fields
    )
    # Safe: only column names and SQL from Django are interpolated. All values are parameters.
    statement = (
        f"SELECT found.{key.column}"  # noqa: S608
        f" FROM unnest({arrays}) AS wanted ({names}), LATERAL ({found}) AS found"
        f" ORDER BY {by} LIMIT %s"
    )
    values = [list(place.columns[name]) for name in place.columns]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, *parameters, size])
        return [key for (key,) in cursor.fetchall()]


def _beginning(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the rows whose reference begins with the text in any case, in the order of an index."""
    folded = Collate(Lower(F("reference")), "C")
    first, last = (Collate(Lower(Value(each)), "C") for each in (text, text + _LAST))
    found: QuerySet[Any] = rows.alias(folded=folded).filter(folded__gte=first, folded__lte=last)
    return found.order_by("folded")


def _first(term: AnyTerm, column: str, rows: QuerySet[Any], *, of: str) -> Place:
    """Return the place for the first rows. Their order must be that of an index."""
    with _without("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        found = list(rows.values_list("pk", flat=True)[: MOST + 1])
    bound = f"Only the first {MOST:,} matching {of} are shown. Type more of the text."
    return _bounded(term, column, found, bound)


def _by_words(term: AnyTerm, column: str, query: str) -> Place:
    # Always by the index, although a table scan is faster for words that most customers have.
    with _without("enable_seqscan"), connection.cursor() as cursor:
        cursor.execute(_BY_WORDS, [query, MOST + 1])
        found = [customer_id for (customer_id,) in cursor.fetchall()]
    more = "Add another word." if isinstance(term, Name) else "Type more of the text."
    bound = f"Only the first {MOST:,} matching customers are shown. {more}"
    return _bounded(term, column, found, bound)


def _bounded(term: AnyTerm, column: str, found: list[Any], bound: str) -> Place:
    return Place(
        kind=term.kind,
        label=str(term),
        columns={column: found[:MOST]},
        bound=bound if len(found) > MOST else "",
    )


def _erased(reference: str) -> list[UUID]:
    """Return the ids that erased customers with this reference have.

    The id is a hash of the reference, which itself was erased.
    """
    erased = Customer.objects.filter(client=OuterRef("pk"), reference__isnull=True)
    with _without("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
        clients = list(Client.objects.filter(Exists(erased)).values_list("pk", flat=True))
    return [pseudonyms.customer_id(client_id, reference) for client_id in clients]


def _with(place: Place, column: str, ids: Sequence[UUID]) -> Place:
    columns = {column: list(dict.fromkeys((*ids, *place.columns[column])))}
    return Place(kind=place.kind, label=place.label, columns=columns, bound=place.bound)
