"""Turn any exception that a view raises into a problem. Unexpected ones are logged, not shown."""

import logging
import math
from functools import lru_cache
from typing import Any, Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from rest_framework import exceptions

from payments import outages
from payments.api.problems.problem import FieldError, Problem, problem_response
from payments.api.representation import etag
from payments.application.dispatch import NotAtVersion, is_of_refund
from payments.application.idempotency import KeyReused
from payments.application.review import QueueLags
from payments.domain.payment import claims
from payments.domain.payment.refusals import (
    DisputeClosed,
    DisputeContradicted,
    DisputeCurrencyDiffers,
    DisputeOpen,
    DisputeTooLarge,
    NotAwaitingReview,
    NotDisputable,
    NoteNeeded,
    NotRefundable,
    PaymentAlreadyFinished,
    PaymentError,
    PaymentUnderReview,
    RefundCurrencyDiffers,
    RefundTooLarge,
    ReviewExpired,
    ReviewNotDue,
    ReviewTaken,
)
from payments.domain.payment.routing_refusals import AssignedToAnother
from payments.domain.text import TextError, rfc3339
from payments.events.contradictions import LogContradicted
from payments.events.store import AlreadyReserved, StaleVersion
from payments.pseudonyms import WrongPseudonymKey

logger: Final = logging.getLogger(__name__)

_FRAMEWORK: Final[dict[type[Exception], str]] = {
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "not_authenticated",
    exceptions.PermissionDenied: "permission_denied",
    PermissionDenied: "permission_denied",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.NotFound: "not_found",
    exceptions.ParseError: "invalid_json",
    Http404: "not_found",
    UnreadablePostError: "invalid_json",  # the sender has hung up
    SuspiciousOperation: "invalid_request",
}


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer with the problem of `error`. Django REST framework calls this for every view."""
    request: HttpRequest = context["request"]
    return problem_response(problem_of(error), request)


def problem_of(error: Exception) -> Problem:
    """Return the problem for any exception."""
    match error:
        case Problem():
            return error
        case NoteNeeded():
            missing = FieldError("note", "missing", str(error))
            return Problem(error.code, str(error), errors=[missing])
        case TextError():
            # The body was checked before, but the module that writes notes checks the note again.
            return Problem.of_field("note", error.code, str(error))
        case DisputeContradicted():
            differing = [
                FieldError(field, "differs", "It differs from the earlier notice.")
                for field in error.fields
            ]
            return Problem(error.code, str(error), errors=differing)
        case PaymentError():
            return Problem(error.code, str(error), members=_members(error))
        case KeyReused():
            differing = [
                FieldError(field, "differs", "It differs from the first request.")
                for field in error.fields
            ]
            return Problem("idempotency_key_reused", str(error), errors=differing)
        case AlreadyReserved():
            taken = FieldError("reference", "reference_taken", "A reference can be used only once.")
            holder = "A refund of payment" if is_of_refund(error.reservation) else "Payment"
            return Problem(
                "reference_taken",
                f"{holder} {error.owner} has the reference {error.reservation.value!r}.",
                errors=[taken],
                members={"payment_id": str(error.owner)},
            )
        case QueueLags():
            return Problem(
                "queue_behind",
                "Other reviewers have just claimed all payments in the queue. Try again in a moment.",
                retry_after=1,
            )
        case NotAtVersion():
            return _not_at_version(error)
        case StaleVersion():
            return Problem(
                "stale_version",
                "Other commands changed the payment first. Read it again, then decide.",
            )
        case WrongPseudonymKey():
            _log_once(str(error))
            return Problem(
                "temporarily_unavailable",
                "The service is not configured correctly. Try again later with the same Idempotency-Key.",
                retry_after=60,
            )
        case LogContradicted():
            _log_once(str(error))
            return Problem(
                "log_contradicted",
                "An operator has to repair the event log. Try again later with the same Idempotency-Key.",
                retry_after=60,
            )
        case DatabaseError() | InterfaceError():
            return _database_problem(error)
        case exceptions.Throttled():
            seconds = math.ceil(getattr(error, "wait", None) or 1)
            return Problem(
                "throttled",
                f"This key has exceeded its rate limit. Try again in {seconds} s.",
                retry_after=seconds,
            )
        case _:
            return _framework_problem(error)


@lru_cache(maxsize=1)
def _log_once(problem: str) -> None:
    """Log a problem only once, because every request meets it until an operator has repaired it."""
    logger.error("%s", problem)


def _database_problem(error: Exception) -> Problem:
    outage = outages.of(error)
    if outage is None:
        return _framework_problem(error)
    outages.report(error, outage)
    return Problem(
        "temporarily_unavailable",
        # The command may have been committed. The key makes another try harmless.
        f"{outage.sentence} Try again with the same Idempotency-Key.",
        retry_after=outage.retry_after,
    )


def _members(error: PaymentError) -> dict[str, str | int]:
    """Return the members that the problem of a refusal has in addition to the standard ones."""
    match error:
        case NotAwaitingReview(status=status, review=review) if review is not None:
            return {
                "payment_status": status.value,
                "decision": review.decision,
                "decided_by": review.reviewer,
            }
        case (
            PaymentAlreadyFinished(status=status)
            | PaymentUnderReview(status=status)
            | NotAwaitingReview(status=status)
            | NotRefundable(status=status)
            | NotDisputable(status=status)
        ):
            return {"payment_status": status.value}
        case ReviewExpired(deadline=deadline) | ReviewNotDue(deadline=deadline):
            return {"deadline": rfc3339(deadline)}
        case ReviewTaken(claimed_by=reviewer, claimed_until=until):
            return {"claimed_by": reviewer, "claimed_until": rfc3339(until)}
        case AssignedToAnother(assigned_to=reviewer, assigned_until=until):
            return {"assigned_to": reviewer, "assigned_until": rfc3339(until)}
        case RefundTooLarge(refundable=rest):
            return {"refundable": rest.minor, "currency": rest.currency}
        case RefundCurrencyDiffers(currency=currency) | DisputeCurrencyDiffers(currency=currency):
            return {"currency": currency}
        case DisputeOpen(dispute_id=dispute_id):
            return {"dispute_id": dispute_id}
        case DisputeClosed(outcome=outcome, closed_at=at):
            return {"outcome": outcome.value, "closed_at": rfc3339(at)}
        case DisputeTooLarge(disputable=rest):
            return {"disputable": rest.minor, "currency": rest.currency}
    return {}


def _not_at_version(error: NotAtVersion) -> Problem:
    payment = error.payment
    if payment is None:
        # The same answer as for a payment of another client.
        return Problem("payment_not_found", f"There is no payment {error.aggregate_id}.")
    members: dict[str, str | int] = {
        "version": payment.version,
        "payment_status": payment.status.value,
    }
    who = ""
    if payment.review is not None:
        members["decided_by"] = payment.review.reviewer
        who = f", decided by {payment.review.reviewer}"
    elif (lease := claims.unlapsed(payment.lease, timezone.now())) is not None:
        members["claimed_by"] = lease.reviewer
        members["claimed_until"] = rfc3339(lease.until)
        who = f", claimed by {lease.reviewer}"
    return Problem(
        "precondition_failed",
        f"The payment is now {payment.status} at version {payment.version}{who}. Read it again.",
        headers={"ETag": etag(payment.version)},
        members=members,
    )


def _framework_problem(error: Exception) -> Problem:
    code = next((code for kind, code in _FRAMEWORK.items() if isinstance(error, kind)), None)
    if code is None:
        logger.error("An API request failed.", exc_info=error)
        return Problem("internal_error", "The failure was recorded under the request id.")
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    detail = str(error) or "There is nothing at this address."
    return Problem(code, detail, headers=headers)
