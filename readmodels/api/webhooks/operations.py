"""The operations on webhook endpoints in the OpenAPI document."""

from typing import Any, Final

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.openapi import schemas
from payments.api.openapi.commands import BODY, BODY_HEADERS, CORRELATION_ID, REQUEST_ID
from payments.api.openapi.components import (
    COMMON_HEADERS,
    answer_example,
    body_example,
    headers,
    refusals,
)
from payments.api.openapi.problem_examples import PAYMENT_ID, WEBHOOK_ENDPOINT_ID
from readmodels.api.parameters import LONGEST_PAGE, PAGE
from readmodels.api.schema import query, read
from readmodels.api.webhooks.bodies import (
    ChangeWebhookEndpointBody,
    CreateWebhookEndpointBody,
    ReplayBody,
)
from readmodels.api.webhooks.representation import (
    HeldPaymentPage,
    WebhookAttemptPage,
    WebhookEndpointList,
    WebhookEndpointView,
    WebhookEndpointWithSecret,
    WebhookKeyList,
    WebhookTestView,
)
from readmodels.webhooks.models import Outcome

_TAGS: Final = ["webhooks"]
_ENDPOINT: Final = OpenApiParameter(
    "endpoint_id",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    description="The `id` of the endpoint, in lower or upper case.",
    examples=[OpenApiExample("an endpoint", WEBHOOK_ENDPOINT_ID)],
)
_LIST: Final = [
    query("cursor", "`next` of an earlier answer, with the same filters."),
    query("limit", f"The entries on a page; default {PAGE}.", schemas.integer(1, LONGEST_PAGE)),
]


def _command(
    answer: type[msgspec.Struct] | None,
    *refused: str,
    body: type[msgspec.Struct] | None = None,
    takes_body: bool = True,
    status: int = 200,
    shown: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return the description of a command. `shown` is an example of the answer."""
    return {
        "request": None if body is None else {"application/json": body},
        "responses": {
            status: OpenApiResponse(answer, description="The answer.")
            if answer
            else OpenApiResponse(description="It is deleted. The answer has no body."),
            **refusals(*(BODY if takes_body else ()), *refused),
        },
        "parameters": [
            REQUEST_ID,
            CORRELATION_ID,
            *more.pop("parameters", (_ENDPOINT,)),
            *(BODY_HEADERS if takes_body else ()),
            *COMMON_HEADERS,
        ],
        "examples": [
            *more.pop("bodies", ()),
            *([] if shown is None else [answer_example("an answer", shown, status)]),
        ],
        "tags": _TAGS,
        **more,
    }


_AT: Final = "2026-11-23T12:00:00.000000Z"
_SHOWN: Final = {
    "id": WEBHOOK_ENDPOINT_ID,
    "url": "https://example.com/webhooks",
    "description": "Orders",
    "event_types": ["payment.processed", "payment.rejected"],
    "payload": "full",
    "state": "active",
    "disabled_reason": None,
    "position": 4711,
    "lag": {"events": 0, "seconds": 0.0, "held_payments": 0},
    "failures": 0,
    "failing_since": None,
    "next_attempt_at": _AT,
    "old_secret_until": None,
    "created_at": _AT,
    "updated_at": _AT,
}
# Examples. They are split, because secret scanners look for such texts.
_EXAMPLE: Final = "whsec_" + "C2FVsBQIhrscChlQ" + "IMV+b5sSYspob7oD" + "SMfSDuV4Yag="
_PUBLIC_KEY: Final = "whpk_" + "11qYAYKxCrfVS/7T" + "yWQHOg7hcvPapiMl" + "rwIaaPcHURo="
_SECRET: Final = {"secret": _EXAMPLE}
_OVERLAP: Final = dict.fromkeys(["old_secret_until"], "2026-11-24T12:00:00.000000Z")
_GONE: Final = "webhook_endpoint_not_found"

LIST: Final = read(
    WebhookEndpointList,
    "List your webhook endpoints",
    "invalid_request",
    operation_id="list_webhook_endpoints",
    description="All of them, with how far each is behind.",
    shown={"endpoints": [_SHOWN]},
    tags=_TAGS,
)
CREATE: Final = _command(
    WebhookEndpointWithSecret,
    "too_many_endpoints",
    "webhook_url_taken",
    "webhooks_not_configured",
    body=CreateWebhookEndpointBody,
    status=201,
    shown=_SHOWN | _SECRET,
    summary="Create a webhook endpoint",
    description="Events that are recorded from now on are sent to it. The answer has the secret, which is not"
    " shown again. If the answer is lost, a repetition is a `webhook_url_taken`. Then rotate the secret.",
    operation_id="create_webhook_endpoint",
    parameters=headers(201, Location="The endpoint's address."),
    bodies=[
        body_example(
            "final outcomes only",
            {
                "url": "https://example.com/webhooks",
                "description": "Orders",
                "event_types": ["payment.processed", "payment.rejected"],
            },
        )
    ],
)
READ: Final = read(
    WebhookEndpointView,
    "Read a webhook endpoint",
    "invalid_request",
    _GONE,
    operation_id="read_webhook_endpoint",
    description="Its settings, its state, and how far it is behind.",
    shown=_SHOWN,
    tags=_TAGS,
    parameters=[_ENDPOINT],
)
CHANGE: Final = _command(
    WebhookEndpointView,
    _GONE,
    "webhook_url_taken",
    body=ChangeWebhookEndpointBody,
    shown=_SHOWN | {"payload": "thin"},
    summary="Change a webhook endpoint",
    description="Fields that are left out keep their values. A new URL is tried at once, without waiting for"
    " `next_attempt_at`.",
    operation_id="change_webhook_endpoint",
    bodies=[body_example("only the id of the payment", {"payload": "thin"})],
)
DELETE: Final = _command(
    None,
    _GONE,
    takes_body=False,
    status=204,
    summary="Delete a webhook endpoint",
    description="Nothing more is sent to it. Its attempts and held payments are deleted too.",
    operation_id="delete_webhook_endpoint",
)
ROTATE: Final = _command(
    WebhookEndpointWithSecret,
    _GONE,
    "webhooks_not_configured",
    shown=_SHOWN | _OVERLAP | _SECRET,
    summary="Replace the secret of a webhook endpoint",
    description="The new secret is in this answer only. The old one signs too for 24 hours, while you"
    " change your receivers. Rotate again if the answer was lost: the secret that receivers have keeps"
    " signing, and the lost one ends at once.",
    operation_id="rotate_webhook_secret",
)
PAUSE: Final = _command(
    WebhookEndpointView,
    _GONE,
    shown=_SHOWN | {"state": "paused"},
    summary="Pause a webhook endpoint",
    description="Nothing is sent until you resume it. Events are kept. A paused endpoint stays paused.",
    operation_id="pause_webhook_endpoint",
)
RESUME: Final = _command(
    WebhookEndpointView,
    _GONE,
    shown=_SHOWN,
    summary="Resume a webhook endpoint",
    description="It is sent what it missed while it was paused or disabled. Held payments are tried at once,"
    " and so is an endpoint that failed.",
    operation_id="resume_webhook_endpoint",
)
TEST: Final = _command(
    WebhookTestView,
    _GONE,
    status=202,
    shown={"message_id": "evt_test_7b410556ef6040ba81c79717d3e1b190"},
    summary="Send a test message",
    description="A message of the type `webhook.test` is sent soon, also to a paused endpoint. The attempts"
    " show the outcome under the `message_id`. It replaces a test that still waits.",
    operation_id="test_webhook_endpoint",
)
REPLAY: Final = _command(
    WebhookEndpointView,
    _GONE,
    body=ReplayBody,
    shown=_SHOWN | {"position": 4000, "lag": {"events": 7, "seconds": 3600.0, "held_payments": 0}},
    summary="Send earlier events again",
    description="Events after a position or since a time are sent again, in order and with the same ids."
    " A paused or disabled endpoint has to be resumed too.",
    operation_id="replay_webhook_endpoint",
    bodies=[
        body_example("since a time", {"since": "2026-11-23T11:00:00Z"}),
        body_example("after a position", {"after": 4000}),
    ],
)
ATTEMPTS: Final = read(
    WebhookAttemptPage,
    "List attempts to deliver",
    "invalid_request",
    "filter_too_broad",
    _GONE,
    operation_id="list_webhook_attempts",
    description="The requests to the endpoint in the last 30 days, a page at a time.",
    shown={
        "attempts": [
            {
                "message_id": "evt_4711",
                "event_type": "payment.processed",
                "position": 4711,
                "payment_id": PAYMENT_ID,
                "number": 1,
                "at": _AT,
                "milliseconds": 42,
                "outcome": "failed",
                "status": 503,
                "error": "HTTP 503",
                "response": "Try again later.",
            }
        ],
        "next": None,
    },
    tags=_TAGS,
    parameters=[
        _ENDPOINT,
        query(
            "outcome",
            "Only attempts with this outcome. It may be repeated.",
            {"type": "array", "items": {"type": "string", "enum": Outcome.values}},
        ),
        *_LIST,
    ],
)
HELD: Final = read(
    HeldPaymentPage,
    "List held payments",
    "invalid_request",
    "filter_too_broad",
    _GONE,
    operation_id="list_held_payments",
    description="Payments with an event that the endpoint rejected, a page at a time. Their later events"
    " wait; other payments do not.",
    shown={
        "held_payments": [
            {
                "payment_id": PAYMENT_ID,
                "position": 4711,
                "since": _AT,
                "tries": 3,
                "next_attempt_at": "2026-11-23T12:30:00.000000Z",
                "error": "HTTP 400",
            }
        ],
        "next": None,
    },
    tags=_TAGS,
    parameters=[_ENDPOINT, *_LIST],
)
KEYS: Final = read(
    WebhookKeyList,
    "Read the public keys of webhooks",
    "invalid_request",
    "webhooks_not_configured",
    operation_id="list_webhook_keys",
    description="Receivers that verify `v1a` signatures need no secret.",
    shown={"keys": [_PUBLIC_KEY]},
    tags=_TAGS,
)
