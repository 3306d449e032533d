"""Backtests use the contents that the lists had when each payment began."""

import tracemalloc
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import Struct, field
from msgspec.structs import replace

from payments import pseudonyms
from payments.aggregates import LIST_AGGREGATE, PAYMENT_AGGREGATE
from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.question import Mode
from payments.domain.cards import Brand, Card
from payments.domain.list_items import Item, ListName, key
from payments.domain.lists import EntryAdded, EntryRemoved, ListArchived, ListCreated
from payments.domain.methods import CARDS, Method
from payments.domain.payment.events import AnyPaymentEvent, PaymentInitiated
from payments.domain.payment.state import Payment, evolve
from payments.domain.risk.conditions import InList, listable
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy, Rule, Verdict
from payments.events.aggregates import Aggregate
from payments.events.reading import horizon
from readmodels.backtests import questions, reading, verifying
from readmodels.backtests.models import Backtest, State
from tests.support import lists
from tests.support.api import ApiClient, project
from tests.support.backtests import ask, client_id, finished, json_of, submit_many, work_on
from tests.support.concurrency import at_once
from tests.support.dispatching import submit
from tests.support.examples import KNOWN, NOON
from tests.support.policies import activate, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BY_ITEM: Final = {item: ListName(f"some-{item.replace('_', '-')}") for item in Item}
CUSTOMERS: Final = [UUID(int=number) for number in range(1, 9)]
CARD_FINGERPRINTS: Final = [f"{number:032x}" for number in range(8)]
COUNTRIES: Final = ["DE", "FR", "GB", "US"]
PREFIXES: Final = ["ORD", "ORD-1", "ORD-12", "ORD-2", "INV-3"]
VALUES: Final = {
    Item.CUSTOMER: [str(each) for each in CUSTOMERS],
    Item.CARD: CARD_FINGERPRINTS,
    Item.COUNTRY: COUNTRIES,
    Item.REFERENCE_PREFIX: PREFIXES,
}
LACKING: Final = {
    Item.CARD: Fact.CARD,
    Item.COUNTRY: Fact.COUNTRY,
    Item.REFERENCE_PREFIX: Fact.REFERENCE,
}


class Begun(Struct):
    """A payment, and the contents of all lists when it began, computed only from the log."""

    events: list[AnyPaymentEvent]
    held: dict[ListName, dict[str, datetime | None]] = field(default_factory=dict)


def only(name: ListName) -> RiskPolicy:
    """Return a policy that sends only the payments on this list to review."""
    rule = Rule(reason="listed", points=0, when=(InList(name),), then=Verdict.REVIEW)
    return RiskPolicy.of(replace(DEFAULT_POLICY.document, rules=(rule,)))


def random_history(random: Random, *, payments: int) -> None:
    """Change lists and submit payments in random order. Half of them are unscored, like imports."""
    for item, name in BY_ITEM.items():
        lists.create(name, item)
    held: dict[Item, set[str]] = {item: set() for item in Item}
    for number in range(payments):
        at = NOON + timedelta(minutes=number)
        for item in Item:
            if random.random() < 0.3:
                _change(random, item, held[item], at)
        submit(f"payment-{number}", **_payment(random, number, at))
        if number == payments * 3 // 4:
            lists.archive(BY_ITEM[Item.CUSTOMER])
            held[Item.CUSTOMER] = set(VALUES[Item.CUSTOMER])  # an archived list cannot change


def _change(random: Random, item: Item, held: set[str], at: datetime) -> None:
    value, name = random.choice(VALUES[item]), BY_ITEM[item]
    if item is Item.CUSTOMER and len(held) == len(VALUES[item]):
        return
    if value in held:
        lists.remove(value, name)
        held.remove(value)
    else:
        expiry = at + timedelta(minutes=random.randrange(2, 30)) if random.random() < 0.4 else None
        lists.add(value, name=name, author=lists.at(at), expires_at=expiry)
        held.add(value)


def _payment(random: Random, number: int, at: datetime) -> dict[str, Any]:
    scored, method = random.random() < 0.5, random.choice(list(Method))
    country = random.choice([None, *COUNTRIES])
    card = Card(fingerprint=random.choice(CARD_FINGERPRINTS), brand=Brand.VISA, last4="4242")
    reference = f"{random.choice(['ORD-', 'INV-', 'X'])}{random.randrange(1, 40)}-{number}"
    return {
        "at": at,
        "customer_id": random.choice(CUSTOMERS),
        "method": method,
        "card": card if method in CARDS and random.random() < 0.7 else None,
        "reference": reference if random.random() < 0.7 else None,
        "features": replace(KNOWN, country=country, lists=()) if scored else None,
    }


def read_log() -> dict[UUID, Begun]:
    """Return the payments of the log with the contents of the lists when each began."""
    aggregates: tuple[Aggregate[Any, Any], ...] = (LIST_AGGREGATE, PAYMENT_AGGREGATE)
    log = [
        (record.position, record.aggregate_id, record.event)
        for aggregate in aggregates
        for record in horizon.read_next(aggregate, after=0, upto=2**62, limit=10**5).records
    ]
    names: dict[UUID, ListName] = {}
    held: dict[ListName, dict[str, datetime | None]] = {}
    found: dict[UUID, Begun] = {}
    for _, stream, event in sorted(log, key=lambda each: each[0]):
        match event:
            case ListCreated(name=name):
                names[stream], held[name] = name, {}
            case EntryAdded():
                held[names[stream]][event.value] = event.expires_at
            case EntryRemoved():
                del held[names[stream]][event.value]
            case ListArchived():
                held[names[stream]] = {}
            case PaymentInitiated():
                then = {name: dict(entries) for name, entries in held.items()}
                found[stream] = Begun([event], then)
            case _:
                found[stream].events.append(event)
    return found


def state_of(payment_id: UUID, events: list[AnyPaymentEvent]) -> Payment:
    state = None
    for event in events:
        state = evolve(state, payment_id, event)
    assert state is not None
    return state


def listed(payment: Payment, item: Item, held: dict[str, datetime | None]) -> bool:
    """Return whether any of these entries of a list of this type matches the payment."""
    keys = listable(
        customer_id=payment.customer_id,
        fingerprint=payment.card.fingerprint if payment.card else None,
        country=payment.risk.features.country if payment.risk else None,
        reference=payment.reference,
    )
    return any(
        key(item, value) in keys and (expiry is None or expiry > payment.initiated_at)
        for value, expiry in held.items()
    )


def is_known(payment: Payment, item: Item) -> bool:
    match item:
        case Item.CARD:
            known = payment.card is not None or payment.method not in CARDS
        case Item.REFERENCE_PREFIX:
            known = payment.reference is not None
        case _:
            known = item is Item.CUSTOMER
    return known or payment.risk is not None


def changed(backtest: Backtest) -> set[UUID]:
    return {each.payment_id for each in questions.stored_result(backtest).examples}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_payment_is_on_the_lists_that_held_it_when_it_began(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(questions, "PART", 100)
    monkeypatch.setattr(reading, "_AT_ONCE", 30)
    random_history(Random(seed), payments=150)
    begun = read_log()
    payments = {payment_id: state_of(payment_id, each.events) for payment_id, each in begun.items()}

    for item, name in BY_ITEM.items():
        expected = {
            payment_id
            for payment_id, payment in payments.items()
            if is_known(payment, item) and listed(payment, item, begun[payment_id].held[name])
        }
        backtest = finished(only(name), mode=Mode.RECONSTRUCTED)

        known = [payment for payment in payments.values() if is_known(payment, item)]
        lacking = len(payments) - len(known)
        result = questions.stored_result(backtest)
        assert (result.payments, result.evaluated) == (150, len(known))
        assert result.not_evaluable == ({LACKING[item]: lacking} if lacking else {})
        assert result.flips == len(expected)
        assert changed(backtest) == expected
        assert 3 < len(expected) < 50  # few enough to be stored as examples


def test_computed_matches_equal_those_that_each_decision_recorded() -> None:
    acme, country, prefix = ApiClient(), ListName("countries"), ListName("prefixes")
    lists.create(country)
    lists.create(prefix, Item.REFERENCE_PREFIX)
    activate(lists.policy_using(country, prefix), staff("alan"), staff("grace"))
    for number in range(24):
        if number % 4 == 1:
            lists.add("DE", name=country)
            lists.add("ORD", name=prefix)
        elif number % 4 == 3:
            lists.remove("DE", country)
            lists.remove("ORD", prefix)
        acme.submit(country="DE" if number % 3 else "FR", reference=f"ORD-{number}")
        project()

    active = lists.policy_using(country, prefix)
    recorded, reconstructed = (
        json_of(finished(active, mode=mode)) for mode in (Mode.RECORDED, Mode.RECONSTRUCTED)
    )

    assert (recorded["flips"], reconstructed["reconstructed"]) == (0, 24)
    assert {rule["rule"] for rule in recorded["rules"]} >= {"on_list_0", "on_list_1"}
    assert recorded["rules"] == reconstructed["rules"]
    assert recorded["matrix"] == reconstructed["matrix"]


def test_later_changes_of_lists_change_neither_result_nor_digest(small_parts: None) -> None:
    """Regression: with the list's current type, old imports were not evaluable any more."""
    submit_many(5, scored=False)
    listed_customer = pseudonyms.customer_id(client_id(), "customer-1")
    lists.create(item=Item.CUSTOMER)
    lists.add(str(listed_customer))
    submit_many(5, first=5, scored=False)
    unborn = ListName("unborn")
    before = [finished(only(name), mode=Mode.AUTO) for name in (lists.STOLEN, unborn)]

    lists.remove(str(listed_customer))
    lists.archive()
    lists.create(unborn, Item.COUNTRY)
    repetitions = []
    for each in before:
        with verifying.repeated(each, at=NOON) as repetition:
            work_on(repetition.pk)
            repetition.refresh_from_db()
            repetitions.append((repetition.digest, verifying.difference(each, repetition)))

    assert repetitions == [(each.digest, None) for each in before]
    assert [json_of(each)["flips"] for each in before] == [2, 0]
    assert [json_of(each)["not_evaluable"] for each in before] == [{}, {}]


def test_several_workers_come_to_the_result_of_one_with_lists(small_parts: None) -> None:
    random_history(Random(3), payments=30)
    policy = only(BY_ITEM[Item.CUSTOMER])
    alone = finished(policy, mode=Mode.RECONSTRUCTED)

    together = ask(policy, mode=Mode.RECONSTRUCTED)
    at_once(2, lambda _: work_on(together.pk))
    together.refresh_from_db()

    assert (together.state, together.digest) == (State.DONE, alone.digest)
    assert json_of(alone)["flips"] > 0


def test_memory_does_not_grow_with_the_entries_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PART", 200)
    monkeypatch.setattr(reading, "_AT_ONCE", 50)
    submit_many(200, customers=100, scored=False)
    lists.create(item=Item.CUSTOMER)
    lists.add(str(UUID(int=1)))
    policy = only(lists.STOLEN)
    finished(policy, mode=Mode.AUTO)  # fills caches
    few = _peak(policy)
    for start in range(2, 6_002, 1_000):
        lists.add(*(str(UUID(int=number)) for number in range(start, start + 1_000)))
    submit_many(50, first=200, customers=100, scored=False)

    many = _peak(policy)

    assert many < few + 500_000  # bytes; 6,000 entries would need more than 1,000,000


def _peak(policy: RiskPolicy) -> int:
    """Return the peak of allocated memory, in bytes, while the backtest ran."""
    backtest = ask(policy, mode=Mode.AUTO)
    tracemalloc.start()
    work_on(backtest.pk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
