"""Why a command is refused: each refusal has a code that clients know, and says what the payment is."""

from datetime import datetime
from typing import ClassVar


class PaymentError(Exception):
    """A command that the state refuses.

    `code` is stable and public, `details` tell a program more.
    """

    code: ClassVar[str]

    def __init__(self, message: str, **details: str | int | datetime) -> None:
        super().__init__(message)
        self.details = details


class PaymentNotFound(PaymentError):
    """There is no such payment that this caller may see; whether it exists is not told."""

    code = "payment_not_found"


class PaymentAlreadyFinished(PaymentError):
    """A finished payment is never processed again."""

    code = "payment_already_finished"


class PaymentUnderReview(PaymentError):
    """Only a reviewer moves a payment that waits for review."""

    code = "payment_under_review"


class PaymentDiffers(PaymentError):
    """The payment was initiated on other terms."""

    code = "payment_differs"


class NotAwaitingReview(PaymentError):
    """There is nothing to decide. If somebody decided before, the details say who and what."""

    code = "not_under_review"


class ReviewExpired(PaymentError):
    """The deadline has passed: nobody decides any more."""

    code = "review_expired"


class ReviewNotDue(PaymentError):
    """There is still time to decide."""

    code = "review_not_due"


class ReviewTaken(PaymentError):
    """Somebody has claimed the review; the details say who and until when."""

    code = "review_claimed"


class NotClaimed(PaymentError):
    """Nobody holds a claim that could be given back."""

    code = "review_not_claimed"


class AlreadyEscalated(PaymentError):
    """It was left to senior reviewers before."""

    code = "review_escalated"


class SeniorReviewerNeeded(PaymentError):
    """The payment was escalated, or a first person has approved it: a senior reviewer decides."""

    code = "senior_reviewer_needed"


class AnotherPersonNeeded(PaymentError):
    """Two people have to agree, and this one cannot be the second, or wrote the rules that flagged it."""

    code = "another_person_needed"


class NoteNeeded(PaymentError):
    """To approve what the policy advises to reject, or to escalate, takes a reason in words."""

    code = "note_needed"


class NotRefundable(PaymentError):
    """Only what was completed can be given back."""

    code = "not_refundable"


class RefundTooLarge(PaymentError):
    """Refunds never add up to more than the payment."""

    code = "refund_too_large"


class RefundCurrencyDiffers(PaymentError):
    """A payment is given back in its own currency."""

    code = "refund_currency_differs"
