"""The answers about webhook endpoints."""

from collections.abc import Iterable
from typing import Annotated, Final, Self
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import asdict

from payments.api.representation import FROM_ONE
from payments.domain.text import Moment, rfc3339
from readmodels.api.webhooks.bodies import WebhookPayload
from readmodels.webhooks.lag import COUNTED_TO, NONE, Lag, measure
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State

_COUNTED: Final = {"minimum": 0, "maximum": COUNTED_TO}
_NEXT: Final = Meta(description="The `cursor` of the next page; null: this is the last page.")


class WebhookLagView(Struct, frozen=True):
    """How far the endpoint is behind. The numbers are counted up to 10,000."""

    events: Annotated[
        int,
        Meta(
            description="The number of events that it has not received yet, among the next 10,000 of your"
            " payments. Events of held payments are not counted.",
            extra_json_schema=_COUNTED,
        ),
    ]
    seconds: Annotated[
        float, Meta(description="The age of the oldest of these events in seconds; 0: none.")
    ]
    held_payments: Annotated[
        int,
        Meta(
            description="The number of payments with an event that the endpoint rejected.",
            extra_json_schema=_COUNTED,
        ),
    ]


class WebhookEndpointView(Struct, frozen=True, kw_only=True):
    """An endpoint: its settings, and how far events were delivered."""

    id: Annotated[UUID, Meta(description="The id of the endpoint.")]
    url: Annotated[str, Meta(description="The address, in its normal form.")]
    description: Annotated[str, Meta(description="A note for people.")]
    event_types: Annotated[
        list[str], Meta(description="The types of events that it receives; empty: all.")
    ]
    payload: Annotated[
        WebhookPayload, Meta(description="Whether messages have the payment, or only its id.")
    ]
    state: Annotated[
        str,
        Meta(
            extra_json_schema={"enum": State.values},
            description="`paused` was requested. `disabled` was decided by the service or the operator. Both"
            " keep events until you resume the endpoint.",
        ),
    ]
    disabled_reason: Annotated[
        str | None, Meta(description="Why it is disabled; null: it is not disabled.")
    ]
    position: Annotated[
        int,
        Meta(description="Events up to this position are delivered, or their payments are held."),
    ]
    lag: Annotated[WebhookLagView, Meta(description="How far it is behind.")]
    failures: Annotated[int, Meta(description="The number of failures in a row.")]
    failing_since: Annotated[
        Moment | None, Meta(description="The time of the first of them (UTC); null: none.")
    ]
    next_attempt_at: Annotated[
        Moment, Meta(description="Nothing is sent before this time (UTC), which may have passed.")
    ]
    old_secret_until: Annotated[
        Moment | None,
        Meta(
            description="Until this time (UTC), which may have passed, the secret before the last rotation"
            " signs too; null: the secret was never rotated."
        ),
    ]
    created_at: Annotated[Moment, Meta(description="The time of its creation (UTC).")]
    updated_at: Annotated[Moment, Meta(description="The time of its last change (UTC).")]

    @classmethod
    def of(cls, endpoint: Endpoint, behind: Lag) -> Self:
        return cls(
            id=endpoint.pk,
            url=endpoint.url,
            description=endpoint.description,
            event_types=endpoint.event_types,
            payload=WebhookPayload.THIN if endpoint.thin else WebhookPayload.FULL,
            state=endpoint.state,
            disabled_reason=endpoint.disabled_reason or None,
            position=endpoint.position,
            lag=WebhookLagView(behind.events, behind.seconds, behind.held),
            failures=endpoint.failures,
            failing_since=rfc3339(endpoint.failing_since),
            next_attempt_at=rfc3339(endpoint.next_attempt_at),
            old_secret_until=rfc3339(endpoint.old_secret_until),
            created_at=rfc3339(endpoint.created_at),
            updated_at=rfc3339(endpoint.updated_at),
        )


class WebhookEndpointWithSecret(WebhookEndpointView, frozen=True, kw_only=True):
    """An endpoint with its new secret."""

    secret: Annotated[
        str,
        Meta(
            description="Verifies `v1` signatures. Store it now: it is not shown again.",
            extra_json_schema={"pattern": "^whsec_"},
        ),
    ]


class WebhookEndpointList(Struct, frozen=True):
    """All endpoints of the client."""

    endpoints: Annotated[
        list[WebhookEndpointView], Meta(description="At most ten, the oldest first.")
    ]


class WebhookTestView(Struct, frozen=True):
    """A test message that will be sent."""

    message_id: Annotated[
        str, Meta(description="The id of the message, which is its header `webhook-id`.")
    ]


class WebhookAttemptView(Struct, frozen=True, kw_only=True):
    """A request to the endpoint, or the decision not to send an event again."""

    message_id: Annotated[
        str, Meta(description="The header `webhook-id`, the same for all attempts of a message.")
    ]
    event_type: Annotated[str, Meta(description="The type of the event.")]
    position: Annotated[
        int | None, Meta(description="The position of the event in the log; null: a test.")
    ]
    payment_id: Annotated[UUID | None, Meta(description="The id of the payment; null: a test.")]
    number: Annotated[
        int, Meta(description="The number of the attempt, from 1.", extra_json_schema=FROM_ONE)
    ]
    at: Annotated[Moment, Meta(description="The time of the attempt (UTC).")]
    milliseconds: Annotated[int, Meta(description="How long the request took.")]
    outcome: Annotated[
        str,
        Meta(
            extra_json_schema={"enum": Outcome.values},
            description="`rejected`: the endpoint refused this event. `failed`: it did not answer, or not"
            " properly. `dropped`: it refused the event for too long, so it is not sent again.",
        ),
    ]
    status: Annotated[
        int | None, Meta(description="The HTTP status of the answer; null: there was none.")
    ]
    error: Annotated[str | None, Meta(description="What went wrong; null: nothing.")]
    response: Annotated[str, Meta(description="The beginning of the answer's body.")]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            message_id=attempt.message_id,
            event_type=attempt.event_type,
            position=attempt.position,
            payment_id=attempt.payment_id,
            number=attempt.number,
            at=rfc3339(attempt.at),
            milliseconds=attempt.milliseconds,
            outcome=attempt.outcome,
            status=attempt.status,
            error=attempt.error or None,
            response=attempt.response,
        )


class WebhookAttemptPage(Struct, frozen=True):
    """A page of attempts."""

    attempts: Annotated[
        list[WebhookAttemptView], Meta(description="At most `limit`, the newest first.")
    ]
    next: Annotated[str | None, _NEXT]


class HeldPaymentView(Struct, frozen=True, kw_only=True):
    """A payment with an event that the endpoint rejected. Its later events wait too."""

    payment_id: Annotated[UUID, Meta(description="The id of the payment.")]
    position: Annotated[int, Meta(description="The position of the rejected event in the log.")]
    since: Annotated[Moment, Meta(description="When it was rejected first (UTC).")]
    tries: Annotated[int, Meta(description="The number of attempts so far.")]
    next_attempt_at: Annotated[Moment, Meta(description="The time of the next attempt (UTC).")]
    error: Annotated[str, Meta(description="Why the last attempt was rejected.")]

    @classmethod
    def of(cls, held: HeldPayment) -> Self:
        return cls(
            payment_id=held.payment_id,
            position=held.position,
            since=rfc3339(held.since),
            tries=held.tries,
            next_attempt_at=rfc3339(held.next_attempt_at),
            error=held.error,
        )


class HeldPaymentPage(Struct, frozen=True):
    """A page of held payments."""

    held_payments: Annotated[
        list[HeldPaymentView], Meta(description="At most `limit`, the oldest first.")
    ]
    next: Annotated[str | None, _NEXT]


class WebhookKeyList(Struct, frozen=True):
    """The public keys of the service."""

    keys: Annotated[
        list[str],
        Meta(
            description="Each verifies `v1a` signatures: `whpk_` and an Ed25519 key in Base64. A message has"
            " a signature for each key. The newest is first."
        ),
    ]


def endpoint(one: Endpoint) -> WebhookEndpointView:
    (view,) = endpoints([one])
    return view


def endpoints(several: Iterable[Endpoint]) -> list[WebhookEndpointView]:
    """Return the endpoints with their lag, which one query measures."""
    found = list(several)
    lags = measure(found)
    return [WebhookEndpointView.of(each, lags.get(each.pk, NONE)) for each in found]


def with_secret(one: Endpoint, secret: str) -> WebhookEndpointWithSecret:
    return WebhookEndpointWithSecret(**asdict(endpoint(one)), secret=secret)
