"""The log position that a page has shown, carried by its form for the decision to record.

It is signed, so that a decision cannot claim to rest on more or less than the page held.
"""

from typing import Final
from uuid import UUID

from django.core.signing import BadSignature, Signer

from readmodels.models import Checkpoint
from readmodels.projections import payment_summary

# The projections that the evidence of a payment is read from.
_USED: Final = (payment_summary.PROJECTION.name,)
_signer: Final = Signer(salt="seen_position")


def position() -> int:
    """Return the lowest checkpoint of what the evidence is read from; ask before reading. One query."""
    read = dict(Checkpoint.objects.filter(name__in=_USED).values_list("name", "position"))
    return min(read.get(name, 0) for name in _USED)


def signed(payment_id: UUID, actor: str) -> str:
    """Return the current `position` for a form about the payment that is shown to `actor`."""
    return _signer.sign(f"{payment_id}/{actor}/{position()}")


def read(value: str, payment_id: UUID, actor: str) -> int:
    """Return the position in the form. Raises BadSignature, also for another payment or person."""
    shown = _signer.unsign(value)
    about, _, number = shown.rpartition("/")
    if about != f"{payment_id}/{actor}":
        raise BadSignature("The form is about another payment, or was shown to another person.")
    return int(number)
