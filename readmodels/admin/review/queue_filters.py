"""Filters and orders that only the review queue has."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from msgspec import Struct

from payments.domain.money import KNOWN_CURRENCIES
from payments.domain.text import searched
from readmodels.admin.base import fragments
from readmodels.admin.base.filters import CurrencyFilter, OneOf
from readmodels.admin.review.actions import Person
from readmodels.queries import deadlines, review_queue, routing
from readmodels.queries.keyset import Order

STANDINGS: Final = (
    ("free", "Unclaimed"),
    ("mine", "Mine"),
    ("assigned", "Assigned to me"),
    ("snoozed", "Snoozed"),
    ("escalated", "Escalated"),
    ("second", "Second approval"),
)
_DUE_SOON: Final = "24h"
_HOURS: Final = (1, 4, 12)
_DAYS: Final = (1, 2, 3, 5)
_AGES: Final = {
    **{
        f"{hours}h": (f"Longer than {hours} hour{'s'[: hours > 1]}", timedelta(hours=hours))
        for hours in _HOURS
    },
    **{
        f"{days}d": (f"Longer than {days} day{'s'[: days > 1]}", timedelta(days=days))
        for days in _DAYS
    },
}


class StandingFilter(OneOf):
    """Filter the queue by claim, assignment or approval. The list also shows the choices as links.

    Only the choice "snoozed" shows snoozed payments.
    """

    title = "claim or approval"
    parameter_name = "standing"
    is_permanent = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(STANDINGS)

    def condition(self) -> Q:
        now = timezone.now()
        if self.value() == "snoozed":
            return routing.snoozed(now)
        return routing.awake(now) & self._awake(now)

    def _awake(self, now: datetime) -> Q:
        match self.value():
            case "free":
                return review_queue.unclaimed(now)
            case "mine":
                return Q(claimed_by=Person.of(self.request.user).actor, claimed_until__gt=now)
            case "assigned":
                return Q(assigned_to=Person.of(self.request.user).actor)
            case "escalated":
                return Q(escalated=True)
            case "second":
                return ~Q(first_approver="")
        return Q()


class DecidableFilter(OneOf):
    """Filter by whether the person may decide the payment now."""

    title = "who may decide"
    parameter_name = "decidable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "I may decide")]

    def condition(self) -> Q:
        if self.value() != "me":
            return Q()
        person = Person.of(self.request.user)
        if not person.reviews:
            return Q(pk__in=[])
        return review_queue.decidable(
            reviewer=person.actor, senior=person.senior, at=timezone.now()
        )


class DeadlineFilter(OneOf):
    """Filter by how much of the time for the review has passed."""

    title = "deadline"
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (_DUE_SOON, "Due within 24 hours"),
            *((str(each), fragments.LEVEL_BADGES[each].text) for each in deadlines.LEVELS),
        ]

    def condition(self) -> Q:
        value, now = self.value(), timezone.now()
        if not value:
            return Q()
        if value == _DUE_SOON:
            return Q(review_deadline__lte=now + timedelta(days=1))
        return deadlines.reached(int(value), now)


class AgeFilter(OneOf):
    """Filter by waiting time: longer than the choice."""

    title = "waiting time"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in _AGES.items()]

    def condition(self) -> Q:
        if not self.value():
            return Q()
        return Q(flagged_at__lt=timezone.now() - _AGES[str(self.value())][1])


class Sort(Struct, frozen=True, kw_only=True):
    """An order of the queue. `page_labels` are the texts of the links between pages."""

    label: str
    order: Order
    page_labels: tuple[str, str]


DEADLINE: Final = "deadline"
AMOUNT: Final = "amount"
SORTS: Final = {
    DEADLINE: Sort(
        label="Deadline",
        order=review_queue.BY_DEADLINE,
        page_labels=("More urgent", "Less urgent"),
    ),
    "age": Sort(
        label="Longest waiting",
        order=review_queue.BY_AGE,
        page_labels=("Waiting longer", "Waiting shorter"),
    ),
    AMOUNT: Sort(
        label="Highest amount",
        order=review_queue.BY_AMOUNT,
        page_labels=("Higher amounts", "Lower amounts"),
    ),
}


def currency_of(params: Any) -> str:
    """Return the currency that the URL chooses, or "" if it chooses none."""
    chosen = searched(params.get(CurrencyFilter.parameter_name, "")).upper()
    return chosen if chosen in KNOWN_CURRENCIES else ""


def chosen_sort(params: Any, sort: str) -> str:
    """Return the order to use. Sorting by amount needs a chosen currency."""
    if sort not in SORTS or (sort == AMOUNT and not currency_of(params)):
        return DEADLINE
    return sort
