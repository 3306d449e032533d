"""The properties that problems with the same code share."""

from enum import StrEnum
from http import HTTPStatus

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
    """A kind of problem: the properties that all problems with one code share."""

    status: HTTPStatus
    title: str
    repeat: Repeat
    cause: str
    remedy: str
