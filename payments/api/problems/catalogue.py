"""Every problem code of the API, with its status, title, cause and remedy."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from msgspec import Struct


class Repeat(StrEnum):
    """When the same request may be sent again."""

    LATER = "later"
    CORRECTED = "corrected"
    NEVER = "never"

    @property
    def sentence(self) -> str:
        match self:
            case Repeat.LATER:
                return (
                    "Send the same request again. A command needs the same Idempotency-Key."
                    " If the answer has Retry-After, wait for so many seconds."
                )
            case Repeat.CORRECTED:
                return "Correct the request before you send it again. Without a change it is refused again."
            case Repeat.NEVER:
                return (
                    "Do not send it again: the payment will not return to a state that allows it."
                )


class Kind(Struct, frozen=True):
    """A kind of problem: what is the same for every problem with its code."""

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
        "The request is invalid",
        Repeat.CORRECTED,
        "Fields, parameters or headers are missing, unknown or wrong. `errors` names each of them.",
        "Correct what `errors` names, by the code of each entry.",
    ),
    "filter_too_broad": Kind(
        HTTPStatus.BAD_REQUEST,
        "The filter matches too many payments",
        Repeat.CORRECTED,
        "Reading the list took longer than three seconds.",
        "Narrow the filter, for example with `from` and `to`.",
    ),
    "idempotency_key_missing": Kind(
        HTTPStatus.BAD_REQUEST,
        "The Idempotency-Key is missing",
        Repeat.CORRECTED,
        "The command has no header Idempotency-Key.",
        "Generate a random key, such as a UUID, for each command. Store it before the first try.",
    ),
    "idempotency_key_invalid": Kind(
        HTTPStatus.BAD_REQUEST,
        "The Idempotency-Key is invalid",
        Repeat.CORRECTED,
        "The header was sent twice, contains a comma or another character that is not accepted, or looks like"
        " a card number.",
        'Send the header once, with 1 to 255 visible ASCII characters without " , ; and \\.',
    ),
    "idempotency_key_reused": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The Idempotency-Key was used for another request",
        Repeat.CORRECTED,
        "An earlier command with this key had other fields. `errors` names the fields that differ.",
        "Repeat the earlier command exactly, or use a new key for another command.",
    ),
    "body_too_large": Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body is too large",
        Repeat.CORRECTED,
        "The body is larger than any command needs.",
        "Send at most 65,536 bytes.",
    ),
    "body_too_slow": Kind(
        HTTPStatus.REQUEST_TIMEOUT,
        "The body did not arrive in time",
        Repeat.LATER,
        "The connection stalled before the body was complete.",
        "Open a new connection. The command was not carried out.",
    ),
    "unsupported_media_type": Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json",
        Repeat.CORRECTED,
        "The body has another media type, another charset than UTF-8, or a Content-Encoding.",
        "Send `Content-Type: application/json` once, and the body uncompressed.",
    ),
    "method_not_allowed": Kind(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The method is not allowed here",
        Repeat.CORRECTED,
        "The address does not support this method.",
        "Use one of the methods in the header Allow.",
    ),
    "not_acceptable": Kind(
        HTTPStatus.NOT_ACCEPTABLE,
        "The answer is only available as JSON",
        Repeat.CORRECTED,
        "The header Accept excludes JSON.",
        "Send `Accept: application/json`, or leave the header out.",
    ),
    # The caller
    "not_authenticated": Kind(
        HTTPStatus.UNAUTHORIZED,
        "A valid API key is required",
        Repeat.CORRECTED,
        "The header Authorization is missing, or its key is unknown, expired or revoked.",
        "Send `Authorization: Bearer` with a valid key, once. Ask the operator for a new key.",
    ),
    "permission_denied": Kind(
        HTTPStatus.FORBIDDEN,
        "The API key lacks permission",
        Repeat.CORRECTED,
        "The key lacks the scope of the operation, or its holder may not decide.",
        "Use a key with the scope in `detail`.",
    ),
    "throttled": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        Repeat.LATER,
        "The key has exceeded its rate limit, which RateLimit-Policy shows.",
        "Wait, and spread the requests. Read the event feed instead of polling each payment.",
    ),
    # The payment
    "not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "The address does not exist",
        Repeat.CORRECTED,
        "No page or operation has this address.",
        "Compare the address with the API document. Check for double slashes and a slash at the end.",
    ),
    "payment_not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "The payment does not exist",
        Repeat.CORRECTED,
        "No payment has this id, the payment belongs to another client, or it did not exist at that time.",
        "Use the `id` from an answer to a key of the same client.",
    ),
    "reference_taken": Kind(
        HTTPStatus.CONFLICT,
        "Another payment or refund has this reference",
        Repeat.CORRECTED,
        "The reference was used under another Idempotency-Key. `payment_id` names that payment.",
        "Read that payment. If it is not the same purchase or refund, send another reference.",
    ),
    "payment_already_finished": Kind(
        HTTPStatus.CONFLICT,
        "The payment is final",
        Repeat.NEVER,
        "A payment that was completed, failed, rejected, cancelled or expired is not processed again.",
        "Refund the payment if it is completed. Otherwise submit a new one.",
    ),
    "payment_under_review": Kind(
        HTTPStatus.CONFLICT,
        "The payment is under review",
        Repeat.NEVER,
        "A payment under review changes only by the decision of a reviewer.",
        "Wait for the decision, or cancel the payment.",
    ),
    "payment_differs": Kind(
        HTTPStatus.CONFLICT,
        "The payment exists with other terms",
        Repeat.CORRECTED,
        "The payment exists with another amount, method or customer.",
        "Read the payment, and use a new Idempotency-Key for another one.",
    ),
    "not_under_review": Kind(
        HTTPStatus.CONFLICT,
        "The payment is not under review",
        Repeat.NEVER,
        "The payment was never flagged, or it was decided. `decision` and `decided_by` show the decision.",
        "Read the payment again.",
    ),
    "review_expired": Kind(
        HTTPStatus.CONFLICT,
        "The review deadline has passed",
        Repeat.NEVER,
        "Nobody decided before `deadline`. The payment expires within a minute.",
        "Submit a new payment if it is still wanted.",
    ),
    "review_not_due": Kind(
        HTTPStatus.CONFLICT,
        "The review deadline has not passed",
        Repeat.LATER,
        "The review ends at `deadline`, which is in the future.",
        "Decide on the payment, or wait.",
    ),
    "review_claimed": Kind(
        HTTPStatus.CONFLICT,
        "Another reviewer has claimed the payment",
        Repeat.LATER,
        "The claim of `claimed_by` lasts until `claimed_until`.",
        "Claim the next payment, or wait for the end of the claim.",
    ),
    "review_not_claimed": Kind(
        HTTPStatus.CONFLICT,
        "Nobody has claimed the payment",
        Repeat.CORRECTED,
        "The claim has ended or was released.",
        "Nothing needs to be done.",
    ),
    "review_escalated": Kind(
        HTTPStatus.CONFLICT,
        "The payment is already escalated",
        Repeat.NEVER,
        "A reviewer has escalated the payment to senior reviewers.",
        "Nothing needs to be done. Senior reviewers see the payment.",
    ),
    "senior_reviewer_needed": Kind(
        HTTPStatus.FORBIDDEN,
        "A senior reviewer has to decide",
        Repeat.CORRECTED,
        "The payment was escalated or has a first approval, and the key's holder is not a senior reviewer.",
        "Let a senior reviewer decide, with their own key.",
    ),
    "another_person_needed": Kind(
        HTTPStatus.FORBIDDEN,
        "Another person has to approve",
        Repeat.CORRECTED,
        "Two people have to approve. This one was the first, or wrote the policy that flagged the payment.",
        "Let another senior reviewer approve.",
    ),
    "note_needed": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A note is required",
        Repeat.CORRECTED,
        "The risk policy advises to reject the payment, or the command escalates it.",
        "Send `note` with an explanation.",
    ),
    "not_refundable": Kind(
        HTTPStatus.CONFLICT,
        "Only a completed payment can be refunded",
        Repeat.CORRECTED,
        "The payment is not completed, or was refunded completely. `payment_status` shows its status.",
        "Cancel a payment that is not completed. A refunded payment has no remaining amount.",
    ),
    "refund_too_large": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The refund exceeds the remaining amount",
        Repeat.CORRECTED,
        "The remaining amount is `refundable`, in minor units.",
        "Refund at most `refundable`, or omit the amount to refund all of it.",
    ),
    "refund_currency_differs": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The refund has another currency than the payment",
        Repeat.CORRECTED,
        "The payment's currency is `currency`.",
        "Send the payment's currency.",
    ),
    "stale_version": Kind(
        HTTPStatus.CONFLICT,
        "Other commands changed the payment first",
        Repeat.LATER,
        "Many commands on the payment arrived at once. Others succeeded before each try of this one.",
        "Try again after a moment. The command was not carried out.",
    ),
    "precondition_failed": Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "The payment is not at the version in If-Match",
        Repeat.CORRECTED,
        "The payment has changed since it was read. `version` and `payment_status` are the current ones.",
        "Read the payment again, decide, and send the new ETag.",
    ),
    "precondition_required": Kind(
        HTTPStatus.PRECONDITION_REQUIRED,
        "A decision needs the payment's version",
        Repeat.CORRECTED,
        "The decision has no header If-Match.",
        "Send the ETag of the payment that the reviewer looked at, or `*` for any version.",
    ),
    # Webhooks
    "webhook_endpoint_not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "The webhook endpoint does not exist",
        Repeat.CORRECTED,
        "No endpoint has this id, the endpoint belongs to another client, or it was deleted.",
        "List your endpoints, and use an `id` from there.",
    ),
    "webhook_url_taken": Kind(
        HTTPStatus.CONFLICT,
        "Another webhook endpoint has this URL",
        Repeat.CORRECTED,
        "Your endpoint `webhook_endpoint_id` has the URL, perhaps because an answer to the same request was"
        " lost.",
        "Change that endpoint. If you do not have its secret, rotate it.",
    ),
    "too_many_endpoints": Kind(
        HTTPStatus.CONFLICT,
        "There are ten webhook endpoints",
        Repeat.CORRECTED,
        "A client can have ten endpoints.",
        "Delete an endpoint that you do not need, or change it.",
    ),
    # The service
    "internal_error": Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed",
        Repeat.LATER,
        "An unexpected error occurred. The log has it under `request_id`.",
        "Try again. If it fails again, report `request_id` to the operator.",
    ),
    "queue_behind": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The review queue is behind",
        Repeat.LATER,
        "Other reviewers have just claimed all payments that the queue offers.",
        "Try again after a second.",
    ),
    "projection_behind": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The read model is behind",
        Repeat.LATER,
        "The read model has not reached X-Min-Position, is stopped, or has to be rebuilt.",
        "Try again. Or omit X-Min-Position to read without the missing events.",
    ),
    "projection_parked": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The read model lacks an event",
        Repeat.LATER,
        "An event could not be applied. The operator sees it and has to repair it.",
        "Try again in a minute. A followed list continues with the same cursor.",
    ),
    "webhooks_not_configured": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Webhooks are not configured",
        Repeat.LATER,
        "The operator has set no key for webhooks, so no secret can be made.",
        "Ask the operator, then try again. Reading the event feed works meanwhile.",
    ),
    "log_contradicted": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The event log has to be repaired",
        Repeat.LATER,
        "The event log contradicts earlier reads, for example after a restore. No command is accepted.",
        "Wait for the operator. The command was not carried out. Keep the Idempotency-Key.",
    ),
    "temporarily_unavailable": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is temporarily unavailable",
        Repeat.LATER,
        "The database cannot be reached or written, or a transaction is still open.",
        "Try again with the same Idempotency-Key, because the command may have been carried out.",
    ),
}
