"""Filters by days and times, in UTC. They accept the forms that `dates.py` reads."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.text import capfirst
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter
from unfold.contrib.filters.forms import RangeDateForm, RangeDateTimeForm

from readmodels.admin.base.dates import read_day, read_time
from readmodels.admin.base.filters import BACKWARDS, Checked


class _AsTyped(forms.Form):
    """A field that accepts any text and shows it as typed. The filter parses it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in list(self.fields.items()):
            self.fields[name] = forms.Field(label="", required=False, widget=field.widget)


class _DaysForm(_AsTyped, RangeDateForm):
    class Media:
        extend = False  # omit the calendar, which opens only by mouse


class _MomentsForm(_AsTyped, RangeDateTimeForm):
    class Media:
        extend = False


class _Range(Checked):
    is_range = True

    def label(self, form: forms.Form) -> None:
        for name, field in form.fields.items():
            end = "from" if name.endswith("_from") else "to"
            parts = getattr(field.widget, "widgets", [field.widget])
            for part, widget in zip(("", ", time"), parts, strict=False):
                widget.attrs["aria-label"] = f"{capfirst(str(self.title))}, {end}{part} (UTC)"


class DaysFilter(_Range, RangeDateFilter):
    """A range of whole UTC days. unfold's filter would exclude most of the last day."""

    form_class = _DaysForm

    def problems(self) -> dict[str, str]:
        return self._read()[1]

    def condition(self) -> Q:
        (first, last), _ = self._read()
        condition = Q()
        if first is not None:
            condition &= Q(**{f"{self.field_path}__gte": self.begin(first)})
        if last is not None:
            after = self.begin(last + timedelta(days=1))
            condition &= Q(**{f"{self.field_path}__lt": after})
        return condition

    def begin(self, day: date) -> date:
        """Return the beginning of the day as the field's type."""
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
            problems[f"{self.parameter_name}_to"] = BACKWARDS
        return days, problems


class DaysOfTimesFilter(DaysFilter):
    """A range of whole UTC days for a column of times."""

    def begin(self, day: date) -> date:
        return datetime.combine(day, time(), UTC)


class MomentsFilter(_Range, RangeDateTimeFilter):
    """A half-open range of UTC times. A day without a time means the whole day."""

    form_class = _MomentsForm

    def problems(self) -> dict[str, str]:
        return self._read()[1]

    def condition(self) -> Q:
        (first, last), _ = self._read()
        condition = Q()
        if first is not None:
            condition &= Q(**{f"{self.field_path}__gte": first})
        if last is not None:
            condition &= Q(**{f"{self.field_path}__lt": last})
        return condition

    def _read(self) -> tuple[list[datetime | None], dict[str, str]]:
        """Return the first moment, the moment after the last, and the errors."""
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
            problems[f"{self.field_path}_to"] = BACKWARDS
        return moments, problems


def _moment(day: str, at: str, *, ends: bool) -> datetime | None:
    if not day:
        if at:
            raise ValueError("A time needs a date.")
        return None
    moment = datetime.combine(read_day(day), read_time(at) if at else time(), UTC)
    return moment + timedelta(days=1) if ends and not at else moment
