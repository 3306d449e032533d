"""Display list entries with names and links instead of hashes and ids."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from django.utils.html import format_html
from msgspec import Struct

from payments import pseudonyms
from payments.clients.models import Client
from payments.customers.models import Customer, Note
from payments.domain.cards import Brand, Card
from payments.domain.list_items import InvalidItem, Item, checked, key
from payments.domain.payment.state import Payment
from payments.lists.models import Entry
from readmodels import labels
from readmodels.admin.base import contacts, fragments

TYPES: Final = {
    Item.CARD: "Cards",
    Item.CUSTOMER: "Customers",
    Item.COUNTRY: "Countries",
    Item.REFERENCE_PREFIX: "Reference prefixes",
}


class Row(Struct, frozen=True, kw_only=True):
    """An entry on the page of its list. `value` is markup."""

    position: int
    value: str
    added_at: datetime
    added_by: str
    note: str
    expires_at: datetime | None
    is_expired: bool
    payment_id: UUID | None


def rows(found: Sequence[Entry], item: Item, at: datetime) -> list[Row]:
    """Return the rows of a page, with four queries at most."""
    names = labels.people(each.added_by for each in found)
    notes = Note.objects.in_bulk([each.note_id for each in found])
    customers = (
        Customer.objects.in_bulk([UUID(each.value) for each in found])
        if item is Item.CUSTOMER
        else {}
    )
    return [
        Row(
            position=each.pk,
            value=_value(each, item, customers),
            added_at=each.added_at,
            added_by=names.get(each.added_by, each.added_by),
            note=notes[each.note_id].text if each.note_id in notes else "The note was erased.",
            expires_at=each.expires_at,
            is_expired=each.expires_at is not None and each.expires_at <= at,
            payment_id=each.payment_id,
        )
        for each in found
    ]


def _value(entry: Entry, item: Item, customers: dict[UUID, Customer]) -> str:
    match item:
        case Item.CARD:
            return card(entry) or format_html("Card {}", entry.value[:12])
        case Item.CUSTOMER:
            customer = customers.get(UUID(entry.value))
            return fragments.link(
                "customers_customer", entry.value, labels.isolated(contacts.called(customer))
            )
        case Item.COUNTRY | Item.REFERENCE_PREFIX:
            return fragments.foreign_text(entry.value)
        case _:
            assert_never(item)


def card(entry: Entry) -> str:
    """Return the brand and last digits of the entry's card, or "" if they are unknown."""
    if not entry.card_brand:
        return ""
    return labels.card_label(
        Card(fingerprint=entry.value, brand=Brand(entry.card_brand), last4=entry.card_last4)
    )


def searched_keys(item: Item, term: str) -> list[str]:
    """Return the keys that a search term can mean. Customers are found by reference or id."""
    values: Iterable[str] = [term]
    if item is Item.CUSTOMER:
        clients = Client.objects.values_list("pk", flat=True)
        values = [term, *(str(pseudonyms.customer_id(client, term)) for client in clients)]
    return list(_keys(item, values))


def _keys(item: Item, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        try:
            yield key(item, checked(item, value))
        except InvalidItem:
            continue


def items_of(payment: Payment, customer: str) -> dict[Item, str]:
    """Return the items of the payment that can be added to a list, with their labels."""
    found = {Item.CUSTOMER: f"Customer {customer}"}
    if payment.card is not None:
        found[Item.CARD] = labels.card_label(payment.card)
    if country := country_of(payment):
        found[Item.COUNTRY] = f"Country {country}"
    if payment.reference is not None:
        found[Item.REFERENCE_PREFIX] = "Reference prefix"
    return found


def country_of(payment: Payment) -> str | None:
    return payment.risk.features.country if payment.risk is not None else None
