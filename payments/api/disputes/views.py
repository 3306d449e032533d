"""The commands on disputes: record the notices of the provider, and respond."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments.api.bodies import wrong_text
from payments.api.disputes import bodies, operations
from payments.api.disputes.representation import dispute_response
from payments.api.http import preconditions
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView, command_context
from payments.api.http.reading import idempotency_key, read_body
from payments.api.problems.problem import Problem
from payments.application import disputes
from payments.clients.models import Scope
from payments.customers import registry
from payments.domain.payment import commands

_COMMAND: Final = {"POST": Scope.DISPUTES_WRITE}


class OpenDispute(KeyView):
    """Open a dispute. A repetition of the notice under another key changes nothing."""

    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.OPEN)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        key, at = idempotency_key(request), timezone.now()
        body = read_body(request, bodies.OpenDisputeBody)
        body.require_times(at)
        command = commands.OpenDispute(
            payment_id=payment_id,
            client_id=key_of(request).client_id,
            at=at,
            dispute_id=body.dispute_id,
            opened_at=body.opened_at,
            **_statement(body),
        )
        return _handle(request, command, key)


class UpdateDispute(KeyView):
    """State the whole dispute again."""

    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.UPDATE)
    def post(self, request: Request, payment_id: UUID, dispute_id: str) -> HttpResponse:
        key, at = idempotency_key(request), timezone.now()
        dispute_id = _in_path(dispute_id)
        body = read_body(request, bodies.UpdateDisputeBody)
        body.require_times(at)
        command = commands.UpdateDispute(
            payment_id=payment_id,
            client_id=key_of(request).client_id,
            at=at,
            dispute_id=dispute_id,
            updated_at=body.updated_at,
            **_statement(body),
        )
        return _handle(request, command, key)


class RespondToDispute(KeyView):
    """Record that the client has contested the dispute."""

    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.RESPOND)
    def post(self, request: Request, payment_id: UUID, dispute_id: str) -> HttpResponse:
        key, at = idempotency_key(request), timezone.now()
        dispute_id = _in_path(dispute_id)
        body = read_body(request, bodies.RespondToDisputeBody)
        body.require_times(at)
        command = commands.RespondToDispute(
            payment_id=payment_id,
            client_id=key_of(request).client_id,
            at=at,
            dispute_id=dispute_id,
            responder=key_of(request).client_actor,
            responded_at=body.responded_at,
            evidence=tuple(body.evidence),
        )
        return _handle(request, command, key, note=body.note)


class CloseDispute(KeyView):
    """Close a dispute, also one that was never opened here."""

    scopes: ClassVar = _COMMAND

    @extend_schema(**operations.CLOSE)
    def post(self, request: Request, payment_id: UUID, dispute_id: str) -> HttpResponse:
        key, at = idempotency_key(request), timezone.now()
        dispute_id = _in_path(dispute_id)
        body = read_body(request, bodies.CloseDisputeBody)
        body.require_times(at)
        command = commands.CloseDispute(
            payment_id=payment_id,
            client_id=key_of(request).client_id,
            at=at,
            dispute_id=dispute_id,
            outcome=body.outcome,
            lost_amount=body.lost(),
            closed_at=body.closed_at,
            kind=body.kind,
            reason=body.reason,
            amount=None if body.amount is None else body.money(body.amount, body.currency),
            network=body.network,
            network_reason_code=body.network_reason_code,
        )
        return _handle(request, command, key)


def _statement(body: bodies.OpenDisputeBody | bodies.UpdateDisputeBody) -> dict[str, Any]:
    """Return the fields of the body that describe the dispute. Raises Problem."""
    return {
        "kind": body.kind,
        "reason": body.reason,
        "amount": body.money(body.amount, body.currency),
        "network": body.network,
        "network_reason_code": body.network_reason_code,
        "respond_by": body.respond_by,
    }


def _handle(
    request: Request, command: commands.AnyDisputeCommand, key: str, *, note: str | None = None
) -> HttpResponse:
    outcome = disputes.handle(
        command,
        command_context(request, actor=key_of(request).client_actor, key=key),
        note=note,
        expected_version=preconditions.expected_version(request, command.payment_id),
    )
    customer = registry.reference_of(outcome.payment.customer_id)
    return dispute_response(outcome, command.dispute_id, customer_reference=customer)


def _in_path(dispute_id: str) -> str:
    """Return the id in the form in which it is stored. Raises Problem."""
    # The server replaces bytes that are not UTF-8 with this character.
    if "\ufffd" in dispute_id:
        raise Problem.of_field("dispute_id", "wrong_format", "It is not UTF-8.")
    wrong = wrong_text("dispute_id", dispute_id, bodies.DisputeBody.stored_text)
    if wrong is not None:
        raise Problem.of_fields([wrong])
    return bodies.DisputeBody.stored_text("dispute_id", dispute_id)
