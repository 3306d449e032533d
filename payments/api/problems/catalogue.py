"""Every problem code that clients may meet: its status, its meaning, its cause, its remedy."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from msgspec import Struct


class Repeat(StrEnum):
    """Whether the request may be sent again."""

    LATER = "later"
    CORRECTED = "corrected"
    NEVER = "never"

    @property
    def sentence(self) -> str:
        match self:
            case Repeat.LATER:
                return (
                    "Send the same request again, a command with the same Idempotency-Key. Wait as long as"
                    " Retry-After says, if it is there."
                )
            case Repeat.CORRECTED:
                return (
                    "Correct the request before you send it again: as it is, it is refused again."
                )
            case Repeat.NEVER:
                return (
                    "Do not send it again: the payment will not return to a state that allows it."
                )


class Kind(Struct, frozen=True):
    """A problem's HTTP status, what it is in general, and what to do about it."""

    status: HTTPStatus
    title: str
    repeat: Repeat
    cause: str
    remedy: str


KINDS: Final[Mapping[str, Kind]] = {
    # The request itself
    "invalid_json": Kind(
        HTTPStatus.BAD_REQUEST,
        "The body is not JSON",
        Repeat.CORRECTED,
        "The body is empty, cut off, not UTF-8 or not JSON.",
        "Serialize the body with a JSON library, and send all of it.",
    ),
    "invalid_request": Kind(
        HTTPStatus.BAD_REQUEST,
        "The request says something impossible",
        Repeat.CORRECTED,
        "Fields, parameters or headers are missing, unknown or wrong. `errors` names each of them.",
        "Correct what `errors` names, by the code of each entry.",
    ),
    "filter_too_broad": Kind(
        HTTPStatus.BAD_REQUEST,
        "The filter finds too much",
        Repeat.CORRECTED,
        "The list could not be read within three seconds.",
        "Narrow the filter, for example by `from` and `to`.",
    ),
    "idempotency_key_missing": Kind(
        HTTPStatus.BAD_REQUEST,
        "The Idempotency-Key is missing",
        Repeat.CORRECTED,
        "A command came without the header Idempotency-Key.",
        "Make a random key, such as a UUID, for each command. Store it before the first try.",
    ),
    "idempotency_key_invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "The Idempotency-Key cannot be used",
        Repeat.CORRECTED,
        "The header came twice, has a comma or other characters that a key cannot have, or looks like a card"
        " number.",
        'Send the header once, with 1 to 255 visible ASCII characters without " , ; and \\.',
    ),
    "idempotency_key_reused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The Idempotency-Key was used for another request",
        Repeat.CORRECTED,
        "An earlier command under this key said something else. `errors` names the fields that differ.",
        "Repeat the earlier command exactly, or use a new key if this is another command.",
    ),
    "body_too_large": Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is too large",
        Repeat.CORRECTED,
        "The body has more bytes than any command needs.",
        "Send at most 65,536 bytes.",
    ),
    "body_too_slow": Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not arrive in time",
        Repeat.LATER,
        "The connection stalled before the body was complete.",
        "Open a new connection. Nothing was carried out.",
    ),
    "unsupported_media_type": Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json",
        Repeat.CORRECTED,
        "The body has another media type, another charset than UTF-8, or a Content-Encoding.",
        "Send `Content-Type: application/json` once, and the body as it is.",
    ),
    "method_not_allowed": Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The method is not allowed here",
        Repeat.CORRECTED,
        "The address exists, but not for this method.",
        "Use one of the methods that the header Allow names.",
    ),
    "not_acceptable": Kind(
        HTTPStatus.NOT_ACCEPTABLE,
        "Only JSON is spoken here",
        Repeat.CORRECTED,
        "The header Accept admits no JSON.",
        "Send `Accept: application/json`, or leave the header out.",
    ),
    # Who asks
    "not_authenticated": Kind(
        HTTPStatus.UNAUTHORIZED,
        "A valid API key is needed",
        Repeat.CORRECTED,
        "The header Authorization is missing, or its key is unknown, expired or revoked.",
        "Send `Authorization: Bearer` and a live key, once. Ask the operator for a new one.",
    ),
    "permission_denied": Kind(
        HTTPStatus.FORBIDDEN,
        "The API key may not do this",
        Repeat.CORRECTED,
        "The key lacks the scope that the operation needs, or its owner may not decide.",
        "Use a key with the scope that `detail` names.",
    ),
    "throttled": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        Repeat.LATER,
        "The key has used up its rate, which RateLimit-Policy shows.",
        "Wait, and spread the requests. Poll with If-None-Match, or follow the list by position.",
    ),
    # What it is about
    "not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "There is nothing here",
        Repeat.CORRECTED,
        "No page or operation has this address.",
        "Compare the address with the document. Look for doubled slashes and one at the end.",
    ),
    "payment_not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "There is no such payment",
        Repeat.CORRECTED,
        "No payment has this id, or it belongs to another client, or it did not exist at that time.",
        "Use the `id` of an answer that the same client's key got.",
    ),
    "reference_taken": Kind(
        HTTPStatus.CONFLICT,
        "Another payment has this reference",
        Repeat.CORRECTED,
        "The reference was used under another Idempotency-Key. `payment_id` names that payment.",
        "Read that payment. If it is not the same purchase, send another reference.",
    ),
    "payment_already_finished": Kind(
        HTTPStatus.CONFLICT,
        "The payment is finished",
        Repeat.NEVER,
        "A payment that was completed, failed, rejected, cancelled or expired is not processed again.",
        "Refund a completed payment. Submit a new one otherwise.",
    ),
    "payment_under_review": Kind(
        HTTPStatus.CONFLICT,
        "The payment waits for review",
        Repeat.NEVER,
        "Only a reviewer moves a payment that waits for review.",
        "Wait for the decision, or cancel the payment.",
    ),
    "payment_differs": Kind(
        HTTPStatus.CONFLICT,
        "The payment was initiated on other terms",
        Repeat.CORRECTED,
        "The payment exists with another amount, method or customer.",
        "Read the payment, and use a new Idempotency-Key for another one.",
    ),
    "not_under_review": Kind(
        HTTPStatus.CONFLICT,
        "The payment does not wait for a decision",
        Repeat.NEVER,
        "The payment was never flagged, or a decision was made. `decision` and `decided_by` show it.",
        "Read the payment again.",
    ),
    "review_expired": Kind(
        HTTPStatus.CONFLICT,
        "The time to decide is over",
        Repeat.NEVER,
        "Nobody decided before `deadline`. The payment expires within a minute.",
        "Submit a new payment if it is still wanted.",
    ),
    "review_not_due": Kind(
        HTTPStatus.CONFLICT,
        "There is still time to decide",
        Repeat.LATER,
        "The review ends at `deadline`, which has not passed.",
        "Decide on the payment, or wait.",
    ),
    "review_claimed": Kind(
        HTTPStatus.CONFLICT,
        "Another reviewer has claimed the payment",
        Repeat.LATER,
        "Another reviewer, `claimed_by`, has claimed it until `claimed_until`.",
        "Claim the next payment, or wait for the end of the claim.",
    ),
    "review_not_claimed": Kind(
        HTTPStatus.CONFLICT,
        "Nobody has claimed the payment",
        Repeat.CORRECTED,
        "There is no claim to release: it has ended, or was given back.",
        "Nothing needs to be done.",
    ),
    "review_escalated": Kind(
        HTTPStatus.CONFLICT,
        "The payment is with the senior reviewers",
        Repeat.NEVER,
        "The payment was escalated before.",
        "Nothing needs to be done: senior reviewers see it.",
    ),
    "senior_reviewer_needed": Kind(
        HTTPStatus.FORBIDDEN,
        "A senior reviewer has to decide",
        Repeat.CORRECTED,
        "The payment was escalated or has a first approval, and the key's owner is not a senior reviewer.",
        "Leave it to a senior reviewer, who uses a key of their own.",
    ),
    "another_person_needed": Kind(
        HTTPStatus.FORBIDDEN,
        "Another person has to approve",
        Repeat.CORRECTED,
        "Two people have to approve, and this one was the first or wrote the policy that flagged it.",
        "Leave the second approval to another senior reviewer.",
    ),
    "note_needed": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The command needs a note",
        Repeat.CORRECTED,
        "The risk policy advises to reject, or the payment is escalated: a reason code is not enough.",
        "Send `note` with the reason in your own words.",
    ),
    "not_refundable": Kind(
        HTTPStatus.CONFLICT,
        "Only a completed payment can be given back",
        Repeat.CORRECTED,
        "The payment is not completed, or all of it was given back. `payment_status` shows its state.",
        "Cancel a payment that is not completed yet. Nothing is left of a refunded one.",
    ),
    "refund_too_large": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Refunds never add up to more than the payment",
        Repeat.CORRECTED,
        "The refund is larger than the remaining amount, which `refundable` shows in minor units.",
        "Refund at most `refundable`, or leave the amount out to refund all of it.",
    ),
    "refund_currency_differs": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A payment is given back in its own currency",
        Repeat.CORRECTED,
        "The refund names another currency than the payment, which `currency` shows.",
        "Send the payment's currency.",
    ),
    "stale_version": Kind(
        HTTPStatus.CONFLICT,
        "The payment changed meanwhile",
        Repeat.LATER,
        "Many commands on one payment came at once, and others succeeded before this one each time.",
        "Try again after a moment. Nothing was carried out.",
    ),
    "precondition_failed": Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "The payment is not at the version of If-Match",
        Repeat.CORRECTED,
        "The payment has changed since it was read. `version` and `payment_status` show what it is now.",
        "Read the payment again, decide on that, and send its ETag.",
    ),
    "precondition_required": Kind(
        HTTPStatus.PRECONDITION_REQUIRED,
        "A decision needs the version that it is about",
        Repeat.CORRECTED,
        "A decision came without the header If-Match.",
        "Send the ETag of the payment that was looked at, or `*` to decide on any version.",
    ),
    # Our side
    "internal_error": Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something failed here",
        Repeat.LATER,
        "The service failed in a way that was not foreseen. The log has it under `request_id`.",
        "Try again. If it stays, report `request_id` to the operator.",
    ),
    "queue_behind": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The queue is behind",
        Repeat.LATER,
        "All payments that the queue offers were claimed a moment ago.",
        "Ask again after a second.",
    ),
    "projection_behind": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The read model is behind",
        Repeat.LATER,
        "The read model has not read the event of X-Min-Position, is stopped, or has to be rebuilt.",
        "Ask again. Without X-Min-Position a list answers with what it has.",
    ),
    "projection_parked": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The read model misses an event until it is repaired",
        Repeat.LATER,
        "An event could not be applied. It waits for the operator, who sees it.",
        "Ask again in a minute. A followed list goes on with the same cursor.",
    ),
    "log_contradicted": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No command is accepted until the event log is repaired",
        Repeat.LATER,
        "The event log contradicts what was read from it, for example after a restore.",
        "Wait for the operator. Nothing was carried out; keep the Idempotency-Key.",
    ),
    "temporarily_unavailable": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Try again in a moment",
        Repeat.LATER,
        "The database cannot be reached or written, or a transaction is still open.",
        "Try again. Whether a command was carried out is not known: its Idempotency-Key makes that harmless.",
    ),
}
