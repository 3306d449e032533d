"""The roles of the back office and their permissions.

To give a role a right, add the right to its line in `ROLES`. `migrate` makes the groups match the
table, and `create_staff --help` prints it.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from django.apps import registry
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, transaction
from msgspec import Struct

from payments import permissions as commands
from payments.identity import factors


class Right(Struct, frozen=True):
    """An activity of staff, and the permissions that it needs."""

    label: str
    permissions: tuple[str, ...]


SEE: Final = Right(
    "see payments, disputes, customers with masked data, notes, statistics, risk policies, backtests and API"
    " clients",
    (
        "backtests.view_backtest",
        "clients.view_client",
        "customers.view_customer",
        "customers.view_note",
        commands.SEE_POLICIES,
        "readmodels.view_dailystatistics",
        "readmodels.view_disputesummary",
        "readmodels.view_paymentsummary",
    ),
)
SEE_EVENTS: Final = Right("see the event log", ("events.view_event", "readmodels.view_eventindex"))
REVEAL: Final = Right(
    "reveal names, contacts and references of customers for a purpose", (commands.REVEAL,)
)
SEE_ACCESSES: Final = Right(
    "see who revealed data of customers", ("readmodels.view_personalaccess",)
)
REVIEW: Final = Right(
    "claim, approve, reject, escalate, snooze and hand over payments, and write notes on them",
    (commands.REVIEW,),
)
SENIOR: Final = Right(
    "decide on escalated payments, give second approvals, take over claims and assign payments",
    (commands.REVIEW_AS_SENIOR,),
)
CORRECT: Final = Right("cancel and refund payments", (commands.CORRECT,))
DISPUTES: Final = Right(
    "respond to disputes, and open, update and close them", (commands.RESPOND_TO_DISPUTE,)
)
SECOND_REVIEWS: Final = Right(
    "conclude second reviews of the decisions of others",
    (commands.CONCLUDE_SECOND_REVIEW, "readmodels.view_secondreview"),
)
SEE_SECOND_REVIEWS: Final = Right("see second reviews", ("readmodels.view_secondreview",))
SEE_REVIEWERS: Final = Right(
    "see the decisions of each reviewer in the analytics", ("readmodels.view_reviewday",)
)
BLOCK: Final = Right("block and unblock customers", ("customers.block_customer",))
RENAME: Final = Right("change names and contacts of customers", ("customers.change_customer",))
BACKTEST: Final = Right(
    "test policies over history and observe them as shadows", ("backtests.run_backtest",)
)
POLICIES: Final = Right("propose and approve risk policies", (commands.MANAGE_POLICIES,))
EDIT_LISTS: Final = Right("add and remove entries of lists", (commands.EDIT_LISTS,))
LISTS: Final = Right("create and archive lists", (commands.MANAGE_LISTS,))
SEE_KEYS: Final = Right("see API keys", ("clients.view_apikey",))
KEYS: Final = Right("create, rotate and revoke API keys", ("clients.manage_apikey",))
SEE_REPAIRS: Final = Right(
    "see rebuilds and discarded events",
    ("readmodels.view_discardedevent", "readmodels.view_rebuildrun"),
)
REPAIR: Final = Right(
    "see and rebuild projections, and retry and discard parked events",
    (
        "readmodels.repair_projections",
        "readmodels.view_checkpoint",
        "readmodels.view_parkedevent",
    ),
)
SEE_WEBHOOKS: Final = Right(
    "see webhook endpoints and their deliveries",
    ("webhooks.view_attempt", "webhooks.view_endpoint", "webhooks.view_heldpayment"),
)
WEBHOOKS: Final = Right(
    "create, change, pause and replay webhook endpoints", ("webhooks.manage_endpoint",)
)
SIGN_INS: Final = Right(
    "see sign-ins, failed ones and changes of how staff sign in",
    (
        "axes.view_accesslog",
        "axes.view_accessfailurelog",
        "identity.view_factorreset",
        "identity.view_securityrecord",
    ),
)
RESET_FACTORS: Final = Right(
    "request and approve resets of second factors", ("identity.reset_second_factor",)
)

EXPORT: Final = Right("export lists as CSV or XLSX", ("exports.export_lists",))
EVIDENCE: Final = Right(
    "export evidence packs of payments, and see all exports",
    ("exports.export_evidence", "exports.view_export"),
)
SEE_STAFF: Final = Right(
    "see who holds which role, and all changes of roles",
    ("auth.view_user", "staff.view_staffchange"),
)

ROLES: Final[Mapping[str, tuple[Right, ...]]] = {
    "viewer": (SEE,),
    "analyst": (SEE, SEE_EVENTS, REVEAL, REVIEW, BACKTEST, EXPORT),
    "senior reviewer": (
        SEE,
        SEE_EVENTS,
        REVEAL,
        REVIEW,
        SENIOR,
        SECOND_REVIEWS,
        SEE_REVIEWERS,
        CORRECT,
        DISPUTES,
        BLOCK,
        EDIT_LISTS,
        EXPORT,
    ),
    "risk manager": (
        SEE,
        SEE_EVENTS,
        REVEAL,
        REVIEW,
        SEE_REVIEWERS,
        BLOCK,
        RENAME,
        POLICIES,
        EDIT_LISTS,
        LISTS,
        BACKTEST,
        SEE_KEYS,
        KEYS,
        SEE_WEBHOOKS,
        WEBHOOKS,
        REPAIR,
        SEE_REPAIRS,
        SIGN_INS,
        EXPORT,
        EVIDENCE,
        RESET_FACTORS,
    ),
    "auditor": (
        SEE,
        SEE_EVENTS,
        SEE_ACCESSES,
        SEE_REVIEWERS,
        SEE_SECOND_REVIEWS,
        SEE_KEYS,
        SEE_WEBHOOKS,
        SEE_REPAIRS,
        SIGN_INS,
        EXPORT,
        EVIDENCE,
        SEE_STAFF,
    ),
}

_WIDTH: Final = 100
_INDENT: Final = " " * 19


def check_required() -> None:
    """Raise ImproperlyConfigured if MFA_REQUIRED_ROLES names an unknown role, which would protect nobody."""
    accepted = (factors.EVERYBODY, factors.SUPERUSER, *ROLES)
    for name in settings.MFA_REQUIRED_ROLES:
        if name not in accepted:
            names = ", ".join(each.replace(" ", "-") for each in ("none", *accepted))
            raise ImproperlyConfigured(
                f"MFA_REQUIRED_ROLES names {name!r}. Accepted, separated by commas: {names}."
            )


def permissions(role: str) -> set[str]:
    """Return the permissions of a role."""
    return {permission for right in ROLES[role] for permission in right.permissions}


def apply(*, using: str = DEFAULT_DB_ALIAS, apps: Any = registry.apps) -> None:
    """Create missing groups, and give each group exactly the permissions of its role.

    Writes only what differs, so it can run next to the service. Does nothing while a partial
    migration leaves out tables or permissions.
    """
    try:
        groups, stored, content_types = (
            apps.get_model(app, model).objects.using(using)
            for app, model in (
                ("auth", "Group"),
                ("auth", "Permission"),
                ("contenttypes", "ContentType"),
            )
        )
    except LookupError:
        return
    log = content_types.filter(app_label="events", model="event").first()
    if log is None:
        return
    with transaction.atomic(using=using):
        for name, label in commands.NAMES.items():
            codename = name.partition(".")[2]
            stored.get_or_create(content_type=log, codename=codename, defaults={"name": label})
        columns = ("content_type__app_label", "codename", "pk")
        keys = {f"{app}.{codename}": pk for app, codename, pk in stored.values_list(*columns)}
        wanted = {role: permissions(role) for role in ROLES}
        if any(names - keys.keys() for names in wanted.values()):
            return
        for role, names in wanted.items():
            group, _ = groups.get_or_create(name=role)
            group.permissions.set([keys[name] for name in names])


def help_lines() -> Iterator[str]:
    """Yield the roles as lines of a help text: the common rights, then those that each role adds."""
    yield from wrap(f"All may {SEE.label}.", _WIDTH)
    for role, rights in ROLES.items():
        more = [right.label for right in rights if right is not SEE]
        may = "may " + "; ".join(more) if more else "may nothing more"
        yield from wrap(may, _WIDTH, initial_indent=f"  {role:17}", subsequent_indent=_INDENT)
