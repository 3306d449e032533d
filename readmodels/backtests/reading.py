"""Evaluate one part of a backtest: a range of the log, or the customers of a slice."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.aggregates import CUSTOMER_AGGREGATE, PAYMENT_AGGREGATE
from payments.domain.backtest.cases import Case, case_of
from payments.domain.backtest.evaluation import Evaluation
from payments.domain.backtest.features import CustomerHistory, change_of
from payments.domain.backtest.question import Mode, Question
from payments.domain.list_items import Item, ListMatch, ListName
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import Payment
from payments.domain.risk.conditions import listable
from payments.events.aggregates import Aggregate
from payments.events.reading import ranges
from payments.events.reading.horizon import record
from payments.lists import entries
from payments.lists.entries import Listable
from readmodels.backtests.facts import Fact

# Positions read at once. A worker's memory depends on this, not on the number of payments.
_AT_ONCE: Final = 4_000
_FACTS_AT_ONCE: Final = 2_000

_PAYMENTS: Final[Mapping[str, Aggregate[Any, Any]]] = {PAYMENT_AGGREGATE.name: PAYMENT_AGGREGATE}
# Payments come first: see `read_range`.
_HISTORIES: Final = {**_PAYMENTS, CUSTOMER_AGGREGATE.name: CUSTOMER_AGGREGATE}

KeepAlive = Callable[[], None]


def read(
    question: Question, evaluation: Evaluation, *, first: int, last: int, keep_alive: KeepAlive
) -> list[Fact]:
    """Evaluate the payments that begin at positions `first` to `last` and need no history.

    Return the facts for the other payments. The mode RECORDED needs none. Raises UnreadableEvent.
    """
    facts: list[Fact] = []
    for after in range(first - 1, last, _AT_ONCE):
        keep_alive()
        facts += _read_at_once(question, evaluation, after, min(after + _AT_ONCE, last))
    return facts


def fold(evaluation: Evaluation, facts: Iterable[Fact], *, keep_alive: KeepAlive) -> int:
    """Evaluate the payments of a slice by the histories of their customers. Return the number of facts."""
    customer = 0
    history = CustomerHistory()
    count = 0
    for fact in facts:
        if count % _FACTS_AT_ONCE == 0:
            keep_alive()
        count += 1
        if fact.customer_id.int != customer:  # comparing two UUIDs takes ten times as long
            customer, history = fact.customer_id.int, CustomerHistory()
        if fact.case is not None:
            evaluation.add(_with_features(fact.case, history))
        history.apply(fact.change)
    return count


def _with_features(case: Case, history: CustomerHistory) -> Case:
    payment = case.payment
    features = history.features(
        case.position, at=payment.initiated_at, currency=payment.amount.currency
    )
    return replace(case, reconstructed=replace(features, lists=case.lists))


class _Begun(Struct, gc=False):
    """A payment of the sample that begins in the range, and its events."""

    position: int
    events: list[AnyPaymentEvent]


def _read_at_once(
    question: Question, evaluation: Evaluation, after: int, until: int
) -> Iterable[Fact]:
    reconstructs = question.mode is not Mode.RECORDED
    aggregates = _HISTORIES if reconstructs else _PAYMENTS
    facts: list[Fact] = []
    begun: dict[UUID, _Begun] = {}
    found = ranges.read_range(after=after, until=until, upto=question.upto, types=list(aggregates))
    for name, row in found.events:
        position, stream, version, *_ = row
        if version > 1:
            payment = begun.get(stream)
        elif name == PAYMENT_AGGREGATE.name and position > question.since:
            payment = _begin(evaluation, begun, stream, position)
        else:
            payment = None
        if payment is None and not reconstructs:
            continue
        event = record(aggregates[name], *row).event
        if payment is not None:
            payment.events.append(event)
        if reconstructs and (change := change_of(event)) is not None:
            facts.append(Fact(event.customer_id, position, change))
    for row in found.later:
        if payment := begun.get(row[1]):
            payment.events.append(record(PAYMENT_AGGREGATE, *row).event)
    waiting: dict[int, Case] = {}
    for stream, payment in begun.items():
        case = case_of(stream, payment.position, payment.events)
        if _needs_history(question, case):
            waiting[case.position] = case
        else:
            evaluation.add(case)
    return _joined(facts, _with_lists(question, evaluation.lists, waiting))


def _begin(
    evaluation: Evaluation, begun: dict[UUID, _Begun], payment_id: UUID, position: int
) -> _Begun | None:
    """Add a payment that begins, if it belongs to the sample."""
    if not evaluation.samples(payment_id):
        evaluation.skip()
        return None
    payment = begun[payment_id] = _Begun(position, [])
    return payment


def _needs_history(question: Question, case: Case) -> bool:
    if question.mode is Mode.AUTO:
        return case.payment.risk is None
    return question.mode is Mode.RECONSTRUCTED


def _with_lists(
    question: Question, lists: Mapping[ListName, Item], cases: Mapping[int, Case]
) -> Mapping[int, Case]:
    """Add the lists that the payments were on, if the policies ask for lists."""
    if not question.lists:
        return cases
    items = {*lists.values()}
    wanted = [
        Listable(position, case.payment.initiated_at, _keys(case.payment, items))
        for position, case in cases.items()
    ]
    found = entries.containing(wanted, lists)
    return {
        position: replace(case, lists=tuple(ListMatch(name, 0) for name in found.get(position, ())))
        for position, case in cases.items()
    }


def _keys(payment: Payment, items: Container[Item]) -> list[str]:
    """Return the keys of the payment that lists of these types can hold."""
    card, risk = payment.card, payment.risk
    return listable(
        customer_id=payment.customer_id,
        fingerprint=card.fingerprint if card is not None and Item.CARD in items else None,
        country=risk.features.country if risk is not None else None,
        reference=payment.reference if Item.REFERENCE_PREFIX in items else None,
    )


def _joined(facts: Iterable[Fact], cases: Mapping[int, Case]) -> Iterator[Fact]:
    """Add the cases to their facts, and join a customer's facts at consecutive positions."""
    last: Fact | None = None
    for fact in facts:
        if (
            last is not None
            and fact.position == last.position + 1
            and fact.customer_id == last.customer_id
            and (joined := last.change.joined(fact.change)) is not None
        ):
            last = Fact(last.customer_id, last.position, joined, last.case)
            continue
        if last is not None:
            yield last
        case = cases.get(fact.position)
        last = fact if case is None else replace(fact, case=case)
    if last is not None:
        yield last
