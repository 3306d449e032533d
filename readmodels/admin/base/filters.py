"""Filters of the lists. They report an invalid value instead of ignoring it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.admin import FieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
    RangeDateTimeFilter,
    TextFilter,
)
from unfold.contrib.filters.forms import RangeDateForm, RangeDateTimeForm

from payments.clients.models import Client
from payments.domain.money import KNOWN_CURRENCIES
from payments.domain.text import searched
from readmodels.admin.base.dates import quoted, read_day, read_time
from readmodels.projections import PROJECTIONS
from readmodels.projections.event_index import EVENT_TYPES

_NOT_ONE: Final = "This is not one of the choices. Choose one, or All."
_BACKWARDS: Final = "The range ends before it begins."
_MOST_CLIENTS: Final = 200


class Checked(ABC):
    """Show no rows for an invalid value, with an error at the field and above the list."""

    title: Any

    @abstractmethod
    def problems(self) -> dict[str, str]:
        """Return the errors by the names of the form's fields."""

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return super().queryset(request, queryset)  # type: ignore[misc,no-any-return]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        problems = self.problems()
        for problem in problems.values():
            messages.error(request, f"Filter by {self.title}: {problem}")
        return queryset.none() if problems else self.filtered(request, queryset)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for choice in super().choices(changelist):  # type: ignore[misc]
            form: forms.Form = choice["form"]
            form.is_valid()
            for name, problem in self.problems().items():
                form.errors.pop(name, None)  # Django's own error message for an invalid value
                form.add_error(name, problem)
            yield choice


def titled(base: Any, title: str) -> type[FieldListFilter]:
    """Return the field filter `base` with a given title instead of the column's name."""

    class Titled(base):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = title

    return Titled


class OneOf(Checked, DropdownFilter):
    """Rows whose column `parameter_name` equals the choice."""

    values: tuple[str, ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def problems(self) -> dict[str, str]:
        values = {value for value, _ in self.lookup_choices}
        value = self.value()
        return {str(self.parameter_name): _NOT_ONE} if value and value not in values else {}

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(**{str(self.parameter_name): chosen}) if chosen else queryset


class TypedFilter(Checked, TextFilter):
    """Rows whose column `parameter_name` equals the typed text."""

    @property
    def typed(self) -> str:
        return searched(self.value() or "")

    def problem(self, typed: str) -> str | None:
        return None if typed else "Enter text to search for."

    def problems(self) -> dict[str, str]:
        given = (self.value() or "").strip(" ")
        problem = self.problem(self.typed) if given else None
        return {str(self.parameter_name): problem} if problem else {}

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.matching(queryset, self.typed) if self.typed else queryset

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.parameter_name}__in": {typed, self.spelled(typed)}})

    def spelled(self, typed: str) -> str:
        """Return another spelling of the typed text that may be stored."""
        return typed


class ChoiceFilter(Checked, ChoicesDropdownFilter):
    """Rows whose field is one of its choices."""

    def problems(self) -> dict[str, str]:
        known = {str(value) for value, _ in self.field.flatchoices}
        given = self.lookup_val or []
        values = given if isinstance(given, list) else [given]
        wrong = [value for value in values if value and value not in known]
        return {str(self.lookup_kwarg): _NOT_ONE} if wrong else {}


class YesNoFilter(Checked, BooleanRadioFilter):
    def problems(self) -> dict[str, str]:
        given = self.lookup_val or []
        values = given if isinstance(given, list) else [given]
        wrong = [value for value in values if value not in {"", "0", "1"}]
        return {str(self.lookup_kwarg): _NOT_ONE} if wrong else {}

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return super().filtered(request, queryset) if self.value() else queryset


class CurrencyFilter(TypedFilter):
    """Rows in a currency. Its code is typed, because there are too many to choose from."""

    title = "currency"
    parameter_name = "currency"

    def problem(self, typed: str) -> str | None:
        if typed.upper() in KNOWN_CURRENCIES:
            return None
        return f"{quoted(typed)} is not a currency code. Write it like EUR."

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(currency=typed.upper())


class ClientFilter(OneOf):
    """Rows of a client, which is chosen by name, because there are few."""

    title = "client"
    parameter_name = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        clients = Client.objects.order_by("name").values_list("pk", "name")[:_MOST_CLIENTS]
        return [(str(pk), name) for pk, name in clients]

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(client_id=self.value()) if self.value() else queryset


class ProjectionFilter(OneOf):
    title = "projection"
    parameter_name = "projection"
    values = tuple(PROJECTIONS)


class EventTypeFilter(OneOf):
    title = "event type"
    parameter_name = "event_type"
    values = EVENT_TYPES


class _AsTyped(forms.Form):
    """Show the text that was typed. The filter parses it, so the fields accept any text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in list(self.fields.items()):
            self.fields[name] = forms.Field(label="", required=False, widget=field.widget)


class _DaysForm(_AsTyped, RangeDateForm): ...


class _MomentsForm(_AsTyped, RangeDateTimeForm): ...


class DaysFilter(Checked, RangeDateFilter):
    """Whole UTC days, including the last. Unfold's filter would exclude most of the last day."""

    form_class = _DaysForm

    def problems(self) -> dict[str, str]:
        return self._read()[1]

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        (first, last), _ = self._read()
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": self.begin(first)})
        if last is not None:
            after = self.begin(last + timedelta(days=1))
            queryset = queryset.filter(**{f"{self.field_path}__lt": after})
        return queryset

    def begin(self, day: date) -> date:
        """Return the beginning of the day in the type of the field."""
        return day

    def _read(self) -> tuple[list[date | None], dict[str, str]]:
        days: list[date | None] = []
        problems = {}
        for end in ("from", "to"):
            name = f"{self.parameter_name}_{end}"
            given = str(self.used_parameters.get(name) or "")
            days.append(None)
            try:
                days[-1] = read_day(given) if given.strip(" ") else None
            except ValueError as error:
                problems[name] = str(error)
        if days[0] and days[1] and days[1] < days[0]:
            problems[f"{self.parameter_name}_to"] = _BACKWARDS
        return days, problems


class DaysOfTimesFilter(DaysFilter):
    """Whole UTC days of a column of times."""

    def begin(self, day: date) -> date:
        return datetime.combine(day, time(), UTC)


class MomentsFilter(Checked, RangeDateTimeFilter):
    """A half-open range of UTC times. A day without a time means the whole day."""

    form_class = _MomentsForm

    def problems(self) -> dict[str, str]:
        return self._read()[1]

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        (first, last), _ = self._read()
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last is not None:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last})
        return queryset

    def _read(self) -> tuple[list[datetime | None], dict[str, str]]:
        """Return the first moment, the one after the last, and the errors."""
        moments: list[datetime | None] = []
        problems = {}
        for end in ("from", "to"):
            name = f"{self.field_path}_{end}"
            day, at = (str(self.used_parameters.get(f"{name}_{part}") or "") for part in (0, 1))
            moments.append(None)
            try:
                moments[-1] = _moment(day.strip(" "), at.strip(" "), ends=end == "to")
            except ValueError as error:
                problems[name] = str(error)
        if moments[0] and moments[1] and moments[1] < moments[0]:
            problems[f"{self.field_path}_to"] = _BACKWARDS
        return moments, problems


def _moment(day: str, at: str, *, ends: bool) -> datetime | None:
    if not day:
        if at:
            raise ValueError("A time needs a date.")
        return None
    moment = datetime.combine(read_day(day), read_time(at) if at else time(), UTC)
    return moment + timedelta(days=1) if ends and not at else moment
