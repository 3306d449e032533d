"""The commands of reviewers: claim a payment or the next one, release it, escalate it, decide on it."""

from collections.abc import Callable
from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from msgspec.structs import asdict
from rest_framework.request import Request

from payments import actors
from payments.api import bodies
from payments.api.bodies import Body
from payments.api.http import preconditions
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView, command_context, without_body
from payments.api.http.reading import idempotency_key, read_body
from payments.api.openapi import review_operations
from payments.api.problems.problem import Problem
from payments.api.views import answer
from payments.application import review
from payments.clients.models import Scope
from payments.domain.payment import commands
from payments.domain.payment.commands import AnyReviewCommand


class ReviewView(KeyView):
    scopes: ClassVar = {"POST": Scope.REVIEWS_WRITE}


class ClaimNext(ReviewView):
    """Claim the most urgent payment. A repetition of the request returns the same payment."""

    @extend_schema(**review_operations.CLAIM_NEXT)
    def post(self, request: Request) -> HttpResponse:
        key, reviewer = idempotency_key(request), _reviewer(request)
        read_body(request, bodies.NoBody)
        outcome = review.claim_next(
            client_id=key_of(request).client_id,
            at=timezone.now(),
            context=command_context(request, actor=reviewer, key=key),
        )
        return without_body(204) if outcome is None else answer(outcome)


class ClaimReview(ReviewView):
    @extend_schema(**review_operations.CLAIM)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        return _handle(request, payment_id, commands.ClaimReview, bodies.NoBody)


class ReleaseReview(ReviewView):
    @extend_schema(**review_operations.RELEASE)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        return _handle(request, payment_id, commands.ReleaseReview, bodies.NoBody)


class EscalateReview(ReviewView):
    @extend_schema(**review_operations.ESCALATE)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        return _handle(request, payment_id, commands.EscalateReview, bodies.EscalateBody)


class ApprovePayment(ReviewView):
    @extend_schema(**review_operations.APPROVE)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        return _decide(request, payment_id, commands.ApprovePayment, bodies.ApproveBody)


class RejectPayment(ReviewView):
    @extend_schema(**review_operations.REJECT)
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        return _decide(request, payment_id, commands.RejectPayment, bodies.RejectBody)


def _decide(
    request: Request, payment_id: UUID, kind: type[AnyReviewCommand], body: type[Body]
) -> HttpResponse:
    """Handle a decision, which needs the version of the payment that the reviewer looked at."""
    return _handle(request, payment_id, kind, body, version=preconditions.required_version)


def _handle(
    request: Request,
    payment_id: UUID,
    kind: type[AnyReviewCommand],
    body: type[Body],
    *,
    version: Callable[[Request, UUID], int | None] = preconditions.expected_version,
) -> HttpResponse:
    """Handle a command whose fields are those of the body, except for the note."""
    key, reviewer = idempotency_key(request), _reviewer(request)
    expected_version = version(request, payment_id)
    fields = asdict(read_body(request, body))
    note = fields.pop("note", None)
    command = kind(
        payment_id=payment_id,
        client_id=key_of(request).client_id,
        reviewer=reviewer,
        at=timezone.now(),
        **fields,
    )
    outcome = review.handle(
        command,
        command_context(request, actor=reviewer, key=key),
        note=note,
        expected_version=expected_version,
    )
    return answer(outcome)


def _reviewer(request: Request) -> str:
    """Return the actor id of the staff member who holds the key. Raises Problem."""
    staff_id = key_of(request).staff_id
    if staff_id is None:
        raise Problem(
            "permission_denied", "This key does not belong to a staff member, so it cannot decide."
        )
    return actors.staff(staff_id)
