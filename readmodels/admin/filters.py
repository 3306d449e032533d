"""Filters of the back office's lists that Django and unfold do not have."""

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter, TextFilter

from payments.domain.text import searched
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


class TypedFilter(TextFilter):
    """Rows whose column `parameter_name` is exactly what was typed."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = searched(self.value() or "")
        if not typed:
            return queryset
        return queryset.filter(**{f"{self.parameter_name}__in": {typed, self.spelled(typed)}})

    def spelled(self, typed: str) -> str:
        """Return another spelling of what was typed that may be stored."""
        return typed


class ProjectionFilter(OneOf):
    title = "projection"
    parameter_name = "projection"
    values = tuple(PROJECTIONS)


class EventTypeFilter(OneOf):
    title = "event type"
    parameter_name = "event_type"
    values = EVENT_TYPES


class MomentsFilter(RangeDateTimeFilter):
    """From a moment until before another, in UTC; a day without a time is a whole day.

    unfold's own ignores what has no time, and ends a day as it begins.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first, _ = self._moment("from")
        last, is_day = self._moment("to")
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last is not None:
            end = last + timedelta(days=1) if is_day else last
            queryset = queryset.filter(**{f"{self.field_path}__lt": end})
        return queryset

    def _moment(self, end: str) -> tuple[datetime | None, bool]:
        """The moment, and whether it stands for a day; none when none was given, or none that exists."""
        day, time = (
            str(self.used_parameters.get(f"{self.field_path}_{end}_{part}") or "")
            for part in (0, 1)
        )
        try:
            moment = datetime.fromisoformat(f"{day}T{time}" if time else day).replace(tzinfo=UTC)
        except ValueError:
            return None, False
        return (moment if MINYEAR < moment.year < MAXYEAR else None), not time
