"""Retrying and discarding parked events: what the buttons of their page do.

Views of their own, because Django's change form would hold a transaction open around the repair.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views import View
from psycopg import errors
from unfold.widgets import UnfoldAdminTextInputWidget

from payments import actors, permissions
from payments.domain.text import TextError, checked_text
from payments.events.reading.horizon import UnreadableEvent
from readmodels.admin.base import kept_text
from readmodels.engine import parking
from readmodels.engine.checkpoints import RebuildNeeded
from readmodels.models import ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters, Rows

_PATIENCE_SECONDS: Final = 3

Work = Callable[[Rows | Counters], int]  # returns how many events stay parked


class DiscardForm(forms.Form):
    reason = forms.CharField(
        max_length=parking.LONGEST_REASON,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "dir": "auto"}),
        help_text="Stored permanently and visible to everyone who can see the log. No personal data.",
    )

    def clean_reason(self) -> str:
        try:
            return checked_text(self.cleaned_data["reason"], max_length=parking.LONGEST_REASON)
        except TextError as error:
            raise forms.ValidationError(str(error)) from error


class Busy(Exception):
    """Somebody else works on the projection."""

    def __init__(self) -> None:
        super().__init__("Another worker is updating this projection. Try again in a moment.")


class RepairView(View):
    """`row` is what the page was opened for, as it is now."""

    admin: Any = None
    row: ParkedEvent

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_repair(request):
            raise PermissionDenied
        row = ParkedEvent.objects.filter(pk=kwargs["pk"]).first()
        if row is None:
            messages.info(request, "This event is no longer parked.")
            return to_list()
        self.row = row
        return super().dispatch(request, *args, **kwargs)

    def repair(self, request: HttpRequest, work: Work) -> HttpResponse:
        """Do the work and say what came of it."""
        projection = PROJECTIONS.get(self.row.projection)
        if not isinstance(projection, Rows | Counters):
            messages.error(request, f"The code has no projection {self.row.projection} any more.")
            return _to(self.row)
        try:
            with _impatient():
                left = work(projection)
        except (parking.NotParked, RebuildNeeded, UnreadableEvent, Busy) as error:
            messages.error(request, str(error))
        else:
            if not left:
                messages.success(
                    request, "Applied. No event of this payment is parked in this projection."
                )
                return to_list()
            messages.warning(request, f"{left:,} events of this payment are still parked.")
        # What is parked again has a new row.
        again = ParkedEvent.objects.filter(
            projection=self.row.projection, aggregate_id=self.row.aggregate_id
        )
        first = again.order_by("position").first()
        return _to(first) if first else to_list()


class RetryView(RepairView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.repair(
            request, lambda each: parking.retry(each, self.row.aggregate_id, by=_actor(request))
        )


class DiscardView(RepairView):
    """Asks for a reason, and says what it means. Only what failed itself can be discarded."""

    keeps: ClassVar = ("reason",)
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._page(request, DiscardForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, DiscardForm(initial=request.POST.dict()))
        form = DiscardForm(request.POST)
        if not self.row.error:
            messages.error(
                request, "This event waits for an earlier one. Retry or discard that one."
            )
            return _to(self.row)
        if not form.is_valid():
            return self._page(request, form)
        return self.repair(
            request,
            lambda each: parking.discard(
                each,
                self.row.position,
                reason=form.cleaned_data["reason"],
                by=_actor(request),
                at=timezone.now(),
            ),
        )

    def _page(self, request: HttpRequest, form: DiscardForm) -> HttpResponse:
        context = {
            **self.admin.admin_site.each_context(request),
            "title": f"Discard {self.row.event_type} at {self.row.position}",
            "opts": self.admin.opts,
            "original": self.row,
            "row": self.row,
            "form": form,
        }
        return TemplateResponse(request, "backoffice/discard.html", context)


def may_repair(request: HttpRequest) -> bool:
    return permissions.holds(request.user, parking.REPAIR)


def _actor(request: HttpRequest) -> str:
    return actors.staff(int(request.user.pk or 0))


def to_list() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_parkedevent_changelist"))


def _to(row: ParkedEvent) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_parkedevent_change", args=[row.pk]))


@contextmanager
def _impatient() -> Iterator[None]:
    """A page does not wait for a checkpoint as a command would. Raises Busy."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {_PATIENCE_SECONDS * 1000}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise Busy from error
        raise
