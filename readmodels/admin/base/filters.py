"""Filters for the lists. They report an invalid value instead of ignoring it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.contrib.admin import FieldListFilter, ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import build_q_object_from_lookup_parameters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    TextFilter,
)
from unfold.contrib.filters.forms import DropdownForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments.clients.models import Client
from payments.domain.money import KNOWN_CURRENCIES, MoneyError
from payments.domain.text import searched
from readmodels import labels
from readmodels.admin.base import amounts
from readmodels.admin.base.dates import quoted
from readmodels.projections import PROJECTIONS
from readmodels.projections.event_index import EVENT_TYPES

_NOT_ONE: Final = "This is not one of the choices. Choose one, or All."
BACKWARDS: Final = "The range ends before it begins."
_MOST_CLIENTS: Final = 200


class Checked(ABC):
    """Show no rows for an invalid value, and an error at its field and above the list."""

    title: Any
    template = "backoffice/parts/filter.html"
    is_permanent = False  # whether it restricts the rows even without a value
    is_range = False  # whether it has two ends
    request: HttpRequest
    used_parameters: dict[str, Any]

    @abstractmethod
    def problems(self) -> dict[str, str]:
        """Return the errors by form field."""

    def condition(self) -> Q:
        """Return the condition for the rows. The value must be valid."""
        return build_q_object_from_lookup_parameters(self.used_parameters)

    def described(self) -> str:
        """Return the valid value as displayed, or "" if none is chosen."""
        values = (
            each[-1] if isinstance(each, list) else each for each in self.used_parameters.values()
        )
        return " to ".join(str(each) for each in values if each)

    def filtered(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        try:
            return queryset.filter(self.condition())
        except (ValueError, ValidationError) as error:
            # The parameter has several values, and one of them is invalid.
            raise IncorrectLookupParameters from error

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return queryset.none() if self.problems() else self.filtered(request, queryset)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for choice in super().choices(changelist):  # type: ignore[misc]
            form: forms.Form = choice["form"]
            self.label(form)
            form.is_valid()
            for name, problem in self.problems().items():
                form.errors.pop(name, None)  # Django's own error message for an invalid value
                form.add_error(name, problem)
            yield choice

    def label(self, form: forms.Form) -> None:
        """Give the fields of the form their labels."""
        for field in form.fields.values():
            field.label = capfirst(str(self.title))


def titled(base: Any, title: str) -> type[FieldListFilter]:
    """Return the field filter `base` with `title` instead of the column's name."""

    class Titled(base):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = title

    return Titled


class _Choice(DropdownForm):
    """A plain select. The script that unfold adds would hide its label from screen readers."""

    widget = UnfoldAdminSelectWidget()

    class Media:
        extend = False


class OneOf(Checked, DropdownFilter):
    """Filter by a choice: the column `parameter_name` equals it."""

    form_class = _Choice
    values: tuple[str, ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def problems(self) -> dict[str, str]:
        values = {value for value, _ in self.lookup_choices}
        value = self.value()
        return {str(self.parameter_name): _NOT_ONE} if value and value not in values else {}

    def condition(self) -> Q:
        chosen = self.value()
        return Q(**{str(self.parameter_name): chosen}) if chosen else Q()

    def described(self) -> str:
        return str(dict(self.lookup_choices).get(self.value() or "", ""))


class TypedFilter(Checked, TextFilter):
    """Filter by a typed text: the column `parameter_name` equals it."""

    @property
    def typed(self) -> str:
        return searched(self.value() or "")

    def problem(self, typed: str) -> str | None:
        return None if typed else "Enter text to search for."

    def problems(self) -> dict[str, str]:
        given = (self.value() or "").strip(" ")
        problem = self.problem(self.typed) if given else None
        return {str(self.parameter_name): problem} if problem else {}

    def condition(self) -> Q:
        return self.matching(self.typed) if self.typed else Q()

    def described(self) -> str:
        return self.typed

    def matching(self, typed: str) -> Q:
        return Q(**{f"{self.parameter_name}__in": {typed, self.spelled(typed)}})

    def spelled(self, typed: str) -> str:
        """Return another spelling of the typed text, which the column may contain."""
        return typed


class ChoiceFilter(Checked, ChoicesDropdownFilter):
    """Filter by one or more choices of a field."""

    form_class = _Choice

    def problems(self) -> dict[str, str]:
        known = {str(value) for value, _ in self.field.flatchoices}
        given = self.lookup_val or []
        values = given if isinstance(given, list) else [given]
        wrong = [value for value in values if value and value not in known]
        return {str(self.lookup_kwarg): _NOT_ONE} if wrong else {}

    def condition(self) -> Q:
        return super().condition() if self.value() else Q()

    def described(self) -> str:
        return str(dict(self.field.flatchoices).get(self.value(), ""))


class YesNoFilter(Checked, BooleanRadioFilter):
    def problems(self) -> dict[str, str]:
        given = self.lookup_val or []
        values = given if isinstance(given, list) else [given]
        wrong = [value for value in values if value not in {"", "0", "1"}]
        return {str(self.lookup_kwarg): _NOT_ONE} if wrong else {}

    def condition(self) -> Q:
        return super().condition() if self.value() else Q()

    def described(self) -> str:
        return {"0": "No", "1": "Yes"}.get(self.value() or "", "")


class CurrencyFilter(TypedFilter):
    """Filter by currency. The code is typed, because there are too many to choose from."""

    title = "currency"
    parameter_name = "currency"

    def problem(self, typed: str) -> str | None:
        if typed.upper() in KNOWN_CURRENCIES:
            return None
        return f"{quoted(typed)} is not a currency code. Write it like EUR."

    def matching(self, typed: str) -> Q:
        return Q(currency=typed.upper())

    def described(self) -> str:
        return self.typed.upper()


class _AmountsForm(forms.Form):
    def __init__(self, name: str, title: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for end in ("from", "to"):
            # No inputmode=decimal: in some countries, phones would then offer only a comma.
            attributes = {"placeholder": end.capitalize(), "aria-label": f"{title}, {end}"}
            widget = UnfoldAdminTextInputWidget(attrs=attributes)
            self.fields[f"{name}_{end}"] = forms.CharField(label="", required=False, widget=widget)


class AmountFilter(Checked, ListFilter):
    """Filter by amount, in major units of one currency. Different currencies cannot be compared."""

    title = "amount in the chosen currency"
    parameter_name = "amount"
    parameters = ("amount_from", "amount_to")
    is_range = True

    def __init__(self, request: HttpRequest, params: dict[str, Any], *args: Any) -> None:
        super().__init__(request, params, *args)
        self._currency = searched(request.GET.get(CurrencyFilter.parameter_name, "")).upper()
        for name in self.parameters:
            self.used_parameters[name] = params.pop(name, [""])[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def problems(self) -> dict[str, str]:
        return self._read()[1]

    def condition(self) -> Q:
        (least, most), _ = self._read()
        condition = Q()
        if least is not None:
            condition &= Q(amount__gte=least)
        if most is not None:
            condition &= Q(amount__lte=most)
        return condition

    def described(self) -> str:
        ends = zip(("from", "up to"), self.used_parameters.values(), strict=True)
        return " ".join(f"{end} {typed}" for end, typed in ends if typed.strip())

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        form = _AmountsForm(self.parameter_name, self.title, data=self.used_parameters)
        form.is_valid()
        for name, problem in self.problems().items():
            form.errors.pop(name, None)
            form.add_error(name, problem)
        yield {"form": form}

    def _read(self) -> tuple[list[int | None], dict[str, str]]:
        """Return both ends of the range in minor units, and the errors."""
        ends: list[int | None] = []
        problems = {}
        for name, typed in self.used_parameters.items():
            ends.append(None)
            if not typed.strip():
                continue
            if self._currency not in KNOWN_CURRENCIES:
                problems[name] = (
                    "Enter a currency as well. Amounts of different currencies cannot be compared."
                )
                continue
            try:
                ends[-1] = amounts.parse(typed, self._currency).minor
            except MoneyError as error:
                problems[name] = str(error)
        if ends[0] and ends[1] and ends[1] < ends[0]:
            problems[self.parameters[1]] = BACKWARDS
        return ends, problems


class ClientFilter(OneOf):
    """Filter by client. Clients are chosen by name, because there are few."""

    title = "client"
    parameter_name = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # All selections in a request share the names, such as those for its saved views.
        known: dict[str, list[tuple[str, str]]] = getattr(request, "lookups", {})
        if self.parameter_name not in known:
            clients = Client.objects.order_by("name").values_list("pk", "name")[:_MOST_CLIENTS]
            known[self.parameter_name] = [(str(pk), labels.isolated(name)) for pk, name in clients]
        return known[self.parameter_name]

    def condition(self) -> Q:
        return Q(client_id=self.value()) if self.value() else Q()


class ProjectionFilter(OneOf):
    title = "projection"
    parameter_name = "projection"
    values = tuple(PROJECTIONS)


class EventTypeFilter(OneOf):
    title = "event type"
    parameter_name = "event_type"
    values = EVENT_TYPES
