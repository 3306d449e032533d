"""The commands of clients: submit a payment, cancel it, refund it."""

from typing import ClassVar
from uuid import UUID, uuid5

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments.api import bodies
from payments.api.http import preconditions
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView, command_context
from payments.api.http.reading import idempotency_key, read_body
from payments.api.openapi import operations
from payments.api.representation import outcome_response, refund_response
from payments.application import corrections, submission
from payments.application.dispatch import Outcome
from payments.clients.models import Scope
from payments.customers import registry
from payments.domain.payment import commands


class SubmitPayment(KeyView):
    """Submit a payment in two round trips to the database."""

    scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**operations.SUBMIT)
    def post(self, request: Request) -> HttpResponse:
        key = idempotency_key(request)
        body = read_body(request, bodies.SubmitBody)
        api_key = key_of(request)
        outcome = submission.submit(
            client_id=api_key.client_id,
            customer_reference=body.customer_id,
            amount=body.money(),
            method=body.method,
            reference=body.reference,
            card=body.presented_card(),
            country=body.country,
            signals=body.presented_signals(),
            at=timezone.now(),
            key=key,
            context=command_context(request, actor=api_key.client_actor, key=key),
        )
        location = f"{request.path}/{outcome.payment.payment_id}"
        return outcome_response(
            outcome, customer_reference=body.customer_id, status=201, headers={"Location": location}
        )


class CancelPayment(KeyView):
    """Cancel a payment that is not completed. A completed one is refunded instead."""

    scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**operations.CANCEL)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        key = idempotency_key(request)
        body = read_body(request, bodies.CancelBody)
        client_id = key_of(request).client_id
        command = commands.CancelPayment(
            payment_id=payment_id, client_id=client_id, reason=body.reason, at=timezone.now()
        )
        return answer(_correct(request, command, key))


class RefundPayment(KeyView):
    """Refund a completed payment. The refund's id derives from the key, so a repetition refunds nothing."""

    scopes: ClassVar = {"POST": Scope.PAYMENTS_WRITE}

    @extend_schema(**operations.REFUND)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        key = idempotency_key(request)
        body = read_body(request, bodies.RefundBody)
        command = commands.RefundPayment(
            payment_id=payment_id,
            client_id=key_of(request).client_id,
            refund_id=uuid5(payment_id, key),
            amount=body.money(),
            reason=body.reason,
            reference=body.reference,
            at=timezone.now(),
        )
        outcome = _correct(request, command, key)
        customer = registry.reference_of(outcome.payment.customer_id)
        return refund_response(outcome, customer_reference=customer)


def _correct(
    request: Request, command: commands.CancelPayment | commands.RefundPayment, key: str
) -> Outcome:
    actor = key_of(request).client_actor
    return corrections.handle(
        command,
        command_context(request, actor=actor, key=key),
        expected_version=preconditions.expected_version(request, command.payment_id),
    )


def answer(outcome: Outcome) -> HttpResponse:
    """Answer with the payment after the command."""
    reference = registry.reference_of(outcome.payment.customer_id)
    return outcome_response(outcome, customer_reference=reference, status=200)
