"""The buttons on a parked event's page: retry and discard.

They are separate views, because Django's change form would hold a transaction open during the repair.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View
from psycopg import errors

from payments import permissions
from payments.events.reading.horizon import UnreadableEvent
from readmodels.admin.base import kept_text, requests
from readmodels.admin.base.text_field import StoredTextField
from readmodels.engine import parking
from readmodels.engine.checkpoints import RebuildNeeded
from readmodels.models import ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Counters, Rows

_LOCK_SECONDS: Final = 3

Repair = Callable[[Rows | Counters], int]  # returns the number of events still parked


class DiscardForm(forms.Form):
    reason = StoredTextField(
        max_length=parking.LONGEST_REASON,
        help_text="Stored permanently and visible to everyone who can see the log. No personal data.",
    )


class Busy(Exception):
    """Another worker holds the projection's checkpoint."""

    def __init__(self) -> None:
        super().__init__("Another worker is updating this projection. Try again in a moment.")


class RepairView(View):
    """Base class of the repairs. `row` is the parked event on the page."""

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

    def repair(self, request: HttpRequest, repair: Repair) -> HttpResponse:
        """Carry out the repair, report its outcome, and show the events that are still parked."""
        projection = PROJECTIONS.get(self.row.projection)
        if not isinstance(projection, Rows | Counters):
            messages.error(request, f"The code has no projection {self.row.projection} any more.")
            return _to(self.row)
        try:
            with _short_lock_timeout():
                left = repair(projection)
        except (parking.NotParked, RebuildNeeded, UnreadableEvent, Busy) as error:
            messages.error(request, str(error))
        else:
            if not left:
                messages.success(
                    request, "Applied. No event of this payment is parked in this projection."
                )
                return to_list()
            messages.warning(request, f"{left:,} events of this payment are still parked.")
        # The retried event may have been parked again, with a new row.
        again = ParkedEvent.objects.filter(
            projection=self.row.projection, aggregate_id=self.row.aggregate_id
        )
        first = again.order_by("position").first()
        return _to(first) if first else to_list()


class RetryView(RepairView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.repair(
            request,
            lambda each: parking.retry(each, self.row.aggregate_id, by=requests.actor(request)),
        )


class DiscardView(RepairView):
    """Ask for a reason, then discard the event. An event that only waits cannot be discarded."""

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
                by=requests.actor(request),
                at=timezone.now(),
            ),
        )

    def _page(self, request: HttpRequest, form: DiscardForm) -> HttpResponse:
        page: HttpResponse = self.admin.page(
            request,
            "backoffice/discard.html",
            title=f"Discard {self.row.event_type} at {self.row.position}",
            original=self.row,
            row=self.row,
            form=form,
        )
        return page


def may_repair(request: HttpRequest) -> bool:
    return permissions.holds(request.user, parking.REPAIR)


def to_list() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_parkedevent_changelist"))


def _to(row: ParkedEvent) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_parkedevent_change", args=[row.pk]))


@contextmanager
def _short_lock_timeout() -> Iterator[None]:
    """Limit the wait for a checkpoint to a few seconds. Commands wait longer. Raises Busy."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {_LOCK_SECONDS * 1000}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise Busy from error
        raise
