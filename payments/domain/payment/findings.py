"""Whether a payment that reviewers approved is later known to be fraud."""

from datetime import datetime

from msgspec import Struct


class Approval(Struct, frozen=True, gc=False):
    """A reviewer's approval, as later events repeat it."""

    reviewer: str
    at: datetime


class Finding(Struct, frozen=True, gc=False):
    """Whether the payment is known to be fraud, and who approved it. The final approval is last."""

    fraud: bool
    approvals: tuple[Approval, ...]
