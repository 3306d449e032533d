"""The log position of the evidence on a page. Its form carries it, and the decision records it.

The signature binds a decision to the position of its own page.
"""

from typing import Final
from uuid import UUID

from django.core.signing import BadSignature, Signer

from readmodels.models import Checkpoint
from readmodels.projections import payment_summary

# The projection that the evidence reads.
_PROJECTION_NAME: Final = payment_summary.PROJECTION.name
_signer: Final = Signer(salt="seen_position")


def position() -> int:
    """Return the log position that the evidence reflects. Call it before reading the evidence."""
    found = (
        Checkpoint.objects.filter(name=_PROJECTION_NAME).values_list("position", flat=True).first()
    )
    return found or 0


def signed(payment_id: UUID, actor: str) -> str:
    """Return the current `position`, signed for a form about this payment that `actor` sees."""
    return _signer.sign(f"{payment_id}/{actor}/{position()}")


def read(value: str, payment_id: UUID, actor: str) -> int:
    """Return the position in a form. Raises BadSignature.

    It must have been signed for the same payment and person.
    """
    shown = _signer.unsign(value)
    about, _, number = shown.rpartition("/")
    if about != f"{payment_id}/{actor}":
        raise BadSignature("The form is about another payment, or was shown to another person.")
    return int(number)
