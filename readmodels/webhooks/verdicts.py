"""What an answer means for the event and for its endpoint."""

from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from readmodels.webhooks.sending import Answer

# These statuses say that the endpoint is busy, not that the event is wrong.
_TRY_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class Verdict(Enum):
    DELIVERED = auto()
    REJECTED = auto()  # the endpoint works, but refuses this event
    UNCLEAR = auto()  # the receiver failed, because of this event or in general
    FAILED = auto()  # the endpoint does not work
    GONE = auto()  # the endpoint wants no more messages


def judge(answer: Answer) -> Verdict:
    if answer.delivered:
        return Verdict.DELIVERED
    if answer.error or answer.status is None:
        return Verdict.FAILED
    if answer.status == HTTPStatus.GONE:
        return Verdict.GONE
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict.UNCLEAR
    if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:  # noqa: PLR2004
        return Verdict.REJECTED
    return Verdict.FAILED


def describe(answer: Answer) -> str:
    """Return the cause of a failed attempt, in one sentence."""
    return answer.error or f"The endpoint answered {answer.status}."
