"""The button "Replay": ask where to start, show how many events will be sent, then send them."""

from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from payments.events.reading import horizon
from readmodels.admin.base import kept_text, requests
from readmodels.admin.webhooks import parts
from readmodels.admin.webhooks.changes import EndpointView, record, to_page
from readmodels.admin.webhooks.forms import ReplayForm
from readmodels.webhooks import endpoints, lag
from readmodels.webhooks.models import Endpoint, State


class ReplayView(EndpointView):
    command = "replay"
    keeps: ClassVar = ("position", "day", "time")
    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._ask(request, ReplayForm(initial={"position": request.GET.get("position")}))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._ask(request, ReplayForm(initial=request.POST.dict()))
        form = ReplayForm(request.POST)
        if not form.is_valid():
            return self._ask(request, form)
        since, after = form.cleaned_data["since"], form.cleaned_data["position"]
        if since is not None:
            # A chosen time must not skip events that are not delivered yet.
            after = min(endpoints.position_before(since), self.endpoint.position)
        if after > (last := horizon.last_position()):
            form.add_error("position", f"The log ends at {last}. Enter a position up to it.")
            return self._ask(request, form)
        return (
            self._replay(request, after)
            if "confirm" in request.POST
            else self._confirm(request, after)
        )

    def _replay(self, request: HttpRequest, after: int) -> HttpResponse:
        before = self.endpoint.position
        with transaction.atomic():
            endpoints.replay(
                self.endpoint, after=after, at=timezone.now(), by=requests.actor(request)
            )
            record(request, self.endpoint, f"Moved the cursor from {before} to {after}")
        messages.success(
            request, f"The cursor is at {after}. Later events are sent in their order."
        )
        return to_page(self.endpoint)

    def _ask(self, request: HttpRequest, form: ReplayForm) -> HttpResponse:
        lines = [
            f"Events up to position {self.endpoint.position} are delivered, or their payments are held.",
            "The next page shows how many events are sent again.",
        ]
        return self.form_page(request, "Replay events", button="Continue", form=form, lines=lines)

    def _confirm(self, request: HttpRequest, after: int) -> HttpResponse:
        skips = after > self.endpoint.position
        return self.form_page(
            request,
            "Skip events" if skips else "Replay events",
            button="Skip" if skips else "Replay",
            variant="danger" if skips else "primary",
            lines=_consequences(self.endpoint, after),
            hidden={"position": after, "confirm": 1},
        )


def _consequences(endpoint: Endpoint, after: int) -> list[str]:
    """Return what the person should know before the cursor moves."""
    first, last = sorted((after, endpoint.position))
    number, more = lag.count_between(endpoint, after=first, upto=last)
    events = f"{parts.count(number, more=more)} event{'' if (number, more) == (1, False) else 's'}"
    if after > endpoint.position:
        lines = [f"{events} up to position {after} will never be sent to this endpoint."]
    else:
        lines = [
            f"{events} after position {after} will be sent again, in the order of each payment.",
            "They keep their ids (webhook-id), so that the receiver can recognize them.",
            "Payments that are held because of these events are sent again with them.",
        ]
    if endpoint.state != State.ACTIVE:
        lines.append(f"The endpoint is {endpoint.state}. Nothing is sent until you resume it.")
    return lines
