"""What is known later about the approvals of a payment."""

from datetime import datetime

from msgspec import Struct


class Approval(Struct, frozen=True, gc=False):
    """An approval of a reviewer at a time, in an event after it."""

    reviewer: str
    at: datetime


class Finding(Struct, frozen=True, gc=False):
    """Whether a payment that reviewers approved is known to be fraud. The final approval comes last."""

    fraud: bool
    approvals: tuple[Approval, ...]
