"""The event feed: a client's public events in the order of the log, also as CloudEvents."""

from typing import ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView
from payments.api.openapi import schemas
from payments.api.problems.problem import Problem
from payments.api.representation import json_response
from payments.clients.models import Scope
from readmodels.api import feed_schema, parameters
from readmodels.feed import reading
from readmodels.feed.events import EVENT_TYPES

PAGE: Final = 100
_REPAIR_SECONDS: Final = 60  # Retry-After while an operator has to rebuild the index


class _CloudEventsRenderer(BaseRenderer):
    """Take part in content negotiation. The view renders the answer itself."""

    media_type = feed_schema.CLOUD_EVENTS
    format = "cloudevents"


class Events(KeyView):
    """Read the client's events after a position."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}
    renderer_classes = (JSONRenderer, _CloudEventsRenderer)

    @extend_schema(**feed_schema.EVENTS)
    def get(self, request: Request) -> HttpResponse:
        given = parameters.read(
            request,
            {
                "after": parameters.whole(0, schemas.INT64_MAX),
                "limit": parameters.whole(1, feed_schema.LONGEST_PAGE),
                "type": parameters.choice(*EVENT_TYPES),
            },
            several={"type"},
        )
        try:
            page = reading.read(
                key_of(request).client_id,
                after=given.get("after", 0),
                limit=given.get("limit", PAGE),
                types=given.get("type", tuple(EVENT_TYPES)),
            )
        except reading.PositionAhead as error:
            detail = (
                f"{error} This position is from another environment, or from a log that was lost."
            )
            raise Problem.of_field("after", "position_ahead", detail) from None
        except reading.IndexBehind as error:
            raise Problem("projection_behind", str(error), retry_after=_REPAIR_SECONDS) from error
        headers = {"X-Event-Position": str(page.next_after), "Vary": "Accept"}
        if isinstance(request.accepted_renderer, _CloudEventsRenderer):
            batch = [feed_schema.cloud_event(each) for each in page.events]
            return json_response(batch, headers, media_type=feed_schema.CLOUD_EVENTS)
        return json_response(
            feed_schema.FeedPage(page.events, page.next_after, page.caught_up), headers
        )


class EventTypes(KeyView):
    """List the types of events that the feed contains and webhooks send."""

    scopes: ClassVar = {"GET": Scope.PAYMENTS_READ}

    @extend_schema(**feed_schema.EVENT_TYPES)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        return json_response(feed_schema.TYPES)
