"""How often staff revealed personal data of customers."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count

from readmodels.models import PersonalAccess

_HOUR: Final = timedelta(hours=1)


def by_person(at: datetime) -> dict[str, int]:
    """Return the number of reveals in the hour before `at`, by actor."""
    recent = PersonalAccess.objects.filter(at__gt=at - _HOUR, at__lte=at)
    return dict(recent.values_list("by").annotate(Count("id")).order_by("by"))


def over_limit(made: dict[str, int]) -> dict[str, int]:
    """Return the entries of the people who made more reveals than REVEALS_PER_HOUR."""
    return {by: count for by, count in made.items() if count > settings.REVEALS_PER_HOUR}


def excessive(at: datetime) -> dict[str, int]:
    """Return the number of reveals by each person over the limit, in the hour before `at`."""
    return over_limit(by_person(at))
