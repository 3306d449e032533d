"""The rights of each role of the back office: the one table that help texts print and tests compare.

Migrations granted it to the groups of these names.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final

from msgspec import Struct


class Right(Struct, frozen=True):
    """Something that people may do, and the permissions that it needs."""

    label: str
    permissions: tuple[str, ...]


SEE: Final = Right(
    "see payments, customers, notes, statistics, API clients, projections and the event log",
    (
        "clients.view_client",
        "customers.view_customer",
        "customers.view_note",
        "events.view_event",
        "readmodels.view_checkpoint",
        "readmodels.view_dailystatistics",
        "readmodels.view_discardedevent",
        "readmodels.view_eventindex",
        "readmodels.view_parkedevent",
        "readmodels.view_paymentsummary",
    ),
)
REVIEW: Final = Right("claim, approve, reject and escalate payments", ("events.review_payment",))
SENIOR: Final = Right(
    "decide on escalated payments, give second approvals and take over claims",
    ("events.review_as_senior",),
)
CORRECT: Final = Right("cancel and refund payments", ("events.correct_payment",))
BLOCK: Final = Right("block and unblock customers", ("customers.block_customer",))
RENAME: Final = Right("change names and contacts of customers", ("customers.change_customer",))
POLICIES: Final = Right("propose and approve risk policies", ("events.manage_policies",))
SEE_KEYS: Final = Right("see API keys", ("clients.view_apikey",))
KEYS: Final = Right("revoke API keys", ("clients.manage_apikey",))
REPAIR: Final = Right("retry and discard parked events", ("readmodels.repair_projections",))
SIGN_INS: Final = Right(
    "see sign-ins and failed ones", ("axes.view_accesslog", "axes.view_accessfailurelog")
)

ROLES: Final[Mapping[str, tuple[Right, ...]]] = {
    "viewer": (SEE,),
    "analyst": (SEE, REVIEW),
    "senior reviewer": (SEE, REVIEW, SENIOR, CORRECT, BLOCK),
    "risk manager": (SEE, REVIEW, BLOCK, RENAME, POLICIES, SEE_KEYS, KEYS, REPAIR, SIGN_INS),
    "auditor": (SEE, SEE_KEYS, SIGN_INS),
}

_WIDTH: Final = 100
_INDENT: Final = " " * 19


def permissions(role: str) -> set[str]:
    """Return the permissions of a role."""
    return {permission for right in ROLES[role] for permission in right.permissions}


def described() -> Iterator[str]:
    """Yield the lines of a help text: what all roles may do, then what each may do in addition."""
    yield from wrap(f"All may {SEE.label}.", _WIDTH)
    for role, rights in ROLES.items():
        more = [right.label for right in rights if right is not SEE]
        may = "may " + "; ".join(more) if more else "may nothing more"
        yield from wrap(may, _WIDTH, initial_indent=f"  {role:17}", subsequent_indent=_INDENT)
