"""The bodies of the commands on webhook endpoints."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final

from django.conf import settings
from msgspec import UNSET, Meta, UnsetType

from payments.api.bodies import Body
from payments.api.openapi.schemas import INT64_MAX
from payments.api.problems.problem import FieldError
from payments.domain.text import checked_identifier, checked_text
from readmodels.feed.events import EVENT_TYPES
from readmodels.queries import times
from readmodels.webhooks import addresses
from readmodels.webhooks.endpoints import Settings

DESCRIPTION_LENGTH: Final = 200


class WebhookPayload(Enum):
    """The content of messages: the whole payment, or only its id."""

    FULL = "full"
    THIN = "thin"


_EventType = Annotated[str, Meta(extra_json_schema={"enum": list(EVENT_TYPES)})]
_URL: Final = Meta(
    description="Messages are posted to this address. It begins with `https://`, without user, password and"
    " fragment. Its host must have public addresses only. Each of your endpoints has another URL.",
    examples=["https://example.com/webhooks"],
    extra_json_schema={
        "format": "uri",
        "minLength": 1,
        "maxLength": addresses.LONGEST_URL,
    },
)
_DESCRIPTION: Final = Meta(
    description="A note for people.", extra_json_schema={"maxLength": DESCRIPTION_LENGTH}
)
_EVENT_TYPES: Final = Meta(
    description="The types of events to send. An empty list, the default, stands for all types, also later"
    " ones."
)
_PAYLOAD: Final = Meta(
    description="`full`, the default, sends the payment after the event. `thin` sends only its id."
)


class _EndpointBody(Body, frozen=True, forbid_unknown_fields=True):
    @classmethod
    def stored_text(cls, field: str, value: str) -> str:
        if field == "url":
            return checked_identifier(value, max_length=addresses.LONGEST_URL)
        # An empty description removes the old one.
        return value and checked_text(value, max_length=DESCRIPTION_LENGTH)

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        if (url := values.get("url")) is not None:
            try:
                addresses.parse(url, debug=settings.WEBHOOK_DEBUG)
            except addresses.InvalidUrl as error:
                yield FieldError("url", "url_refused", str(error))
        if not set(values.get("event_types") or ()) <= set(EVENT_TYPES):
            accepted = f"Accepted are {', '.join(EVENT_TYPES)}."
            yield FieldError("event_types", "unknown_choice", accepted)

    def settings(self) -> Settings:
        """Return the settings. Raises Problem."""
        given = self.checked()
        if "payload" in given:
            given["thin"] = given.pop("payload") is WebhookPayload.THIN
        return Settings(**given)


class CreateWebhookEndpointBody(_EndpointBody, frozen=True, forbid_unknown_fields=True):
    """An endpoint to create."""

    url: Annotated[str, _URL]
    description: Annotated[str, _DESCRIPTION] = ""
    event_types: Annotated[list[_EventType], _EVENT_TYPES] = []
    payload: Annotated[WebhookPayload, _PAYLOAD] = WebhookPayload.FULL


class ChangeWebhookEndpointBody(_EndpointBody, frozen=True, forbid_unknown_fields=True):
    """The settings to change. The others keep their values."""

    url: Annotated[str | UnsetType, _URL] = UNSET
    description: Annotated[str | UnsetType, _DESCRIPTION] = UNSET
    event_types: Annotated[list[_EventType] | UnsetType, _EVENT_TYPES] = UNSET
    payload: Annotated[WebhookPayload | UnsetType, _PAYLOAD] = UNSET


class ReplayBody(Body, frozen=True, forbid_unknown_fields=True):
    """Where to begin: after a position or since a time."""

    after: Annotated[
        int | UnsetType,
        Meta(
            description="Send the events after this position of the log. One beyond the endpoint's"
            " `position` skips events. Send either `after` or `since`.",
            extra_json_schema={"minimum": 0, "maximum": INT64_MAX},
        ),
    ] = UNSET
    since: Annotated[
        str | UnsetType,
        Meta(
            description="Send the events that were recorded since this time or date (UTC), and a few earlier"
            " ones. Events that were not delivered before are never skipped.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        if not values:
            yield FieldError("after", "missing", "Send a position (after) or a time (since).")
        if len(values) > 1:
            yield FieldError("since", "given_twice", "Send a position or a time, not both.")
        if (after := values.get("after")) is not None and not 0 <= after <= INT64_MAX:
            yield FieldError("after", "out_of_range", f"It must be from 0 to {INT64_MAX}.")
        if (since := values.get("since")) is not None:
            try:
                times.moment(since)
            except ValueError as error:
                yield FieldError("since", "wrong_format", str(error))

    def beginning(self) -> int | datetime:
        """Return the position or the time. Raises Problem."""
        given = self.checked()
        return times.moment(given["since"]) if "since" in given else int(given["after"])
