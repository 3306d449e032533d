"""Filters of the back office's lists that Django and unfold do not have."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from readmodels.models import EVENT_TYPES
from readmodels.projections import PROJECTIONS


class OneOf(DropdownFilter):
    """Rows whose column `parameter_name` is exactly what was chosen."""

    values: tuple[str, ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen not in self.values:
            return queryset.none()
        return queryset.filter(**{str(self.parameter_name): chosen})


class ProjectionFilter(OneOf):
    title = "projection"
    parameter_name = "projection"
    values = tuple(PROJECTIONS)


class EventTypeFilter(OneOf):
    title = "event type"
    parameter_name = "event_type"
    values = EVENT_TYPES
