"""How the back office says things: amounts, badges, links, people."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.html import format_html

from payments.clients.models import Client
from payments.domain.money import Money
from payments.domain.payment import Status
from payments.domain.risk import Band
from readmodels.admin.browsing import as_uuid

# Colours of unfold's labels.
STATUS_COLOURS: Final = {
    Status.INITIATED: "info",
    Status.PENDING_REVIEW: "warning",
    Status.COMPLETED: "success",
    Status.FAILED: "danger",
    Status.REJECTED: "danger",
}
STATE_COLOURS: Final = {  # of projections
    "current": "success",
    "behind": "info",
    "parked": "warning",
    "stopped": "danger",
    "needs_rebuild": "danger",
}
BAND_COLOURS: Final = {Band.LOW: "success", Band.MEDIUM: "warning", Band.HIGH: "danger"}

# Of the risk rules and of people; what is not here is shown as it is stored.
REASONS: Final = {
    "first_card_payment_large": "The customer's first card payment, and a large one",
    "features_stale": "The customer's history was not up to date",
    "no_limit_for_currency": "No review limit is set for the currency",
    "method_limit_exceeded": "Over the limit of the payment method",
}


def amount(minor: int, currency: str) -> str:
    return Money(minor, currency).formatted()


def plain(code: str) -> str:
    """A code in words: verified_with_customer is "Verified with customer"."""
    return REASONS.get(code) or code.replace("_", " ").capitalize()


def link(page: str, key: object, text: str) -> str:
    """A link to the page of one row, `page` being the admin's name for its model."""
    return format_html(
        '<a class="text-primary-600 dark:text-primary-400 underline" href="{}">{}</a>',
        reverse(f"admin:{page}_change", args=[key]),
        text,
    )


def people(actors: Iterable[str]) -> dict[str, str]:
    """The names of those whom the log knows as staff:7 or client:UUID. At most two queries."""
    staff: dict[str, str] = {}
    clients: dict[str, UUID] = {}
    for actor in set(actors):
        kind, _, own = actor.partition(":")
        if kind == "staff" and own.isdigit():
            staff[own] = actor
        elif kind == "client" and (client_id := as_uuid(own)):
            clients[actor] = client_id
    names: dict[str, str] = {}
    if staff:
        users = get_user_model().objects.filter(pk__in=staff)
        names |= {
            staff[str(user.pk)]: user.get_full_name() or user.get_username() for user in users
        }
    if clients:
        found = dict(Client.objects.filter(pk__in=clients.values()).values_list("pk", "name"))
        names |= {actor: found[pk] for actor, pk in clients.items() if pk in found}
    return names
