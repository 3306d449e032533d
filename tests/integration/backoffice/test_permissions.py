"""Every command checks the permission itself, from whichever screen or API it is called."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from inspect import signature
from pkgutil import walk_packages
from types import CodeType, FunctionType
from typing import get_args, get_type_hints
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from payments import actors, permissions
from payments.application import (
    policies,
    review,
    submission,
)
from payments.application.dispatch import CommandContext, dispatch
from payments.customers import erasure
from payments.customers.registry import CustomerError
from payments.domain.lists import ListRefused
from payments.domain.payment.refusals import PaymentNotFound
from payments.domain.reveal import RevealRefused
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.second_review import SecondReviewRefused
from payments.identity.resets import ResetRefused
from readmodels.engine import parking
from readmodels.evidence import gathering
from readmodels.rebuild.runs import requests as rebuilds
from tests.support import staff_commands as staff
from tests.support.examples import OPERATOR

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SUPERUSER = "superuser"
ROLES = ("viewer", "analyst", "senior reviewer", "risk manager", "auditor", SUPERUSER)
DECIDE = {"analyst", "senior reviewer", "risk manager"}
RISK_MANAGER = {"risk manager"}
SENIOR = {"senior reviewer", "risk manager"}


# Each command, the roles that may give it, and whether operators of the machine may. The command's
# subject does not exist, so "not found" means that the permission check has passed.
COMMANDS: list[tuple[Callable[[str], None], set[str], bool]] = [
    (staff.approve, DECIDE, False),
    (staff.reject, DECIDE, False),
    (staff.claim, DECIDE, False),
    (staff.release, DECIDE, False),
    (staff.escalate, DECIDE, False),
    (staff.claim_next, DECIDE, False),
    (staff.cancel, {"senior reviewer"}, False),
    (staff.refund, {"senior reviewer"}, False),
    (staff.add_note, DECIDE, False),
    (staff.open_dispute, {"senior reviewer"}, True),
    (staff.update_dispute, {"senior reviewer"}, True),
    (staff.respond_to_dispute, {"senior reviewer"}, True),
    (staff.close_dispute, {"senior reviewer"}, True),
    (staff.record_notices, {"senior reviewer"}, True),
    (staff.conclude_second_review, {"senior reviewer"}, False),
    (staff.reveal, DECIDE, False),
    (staff.retry, RISK_MANAGER, True),
    (staff.discard, RISK_MANAGER, True),
    (staff.request_rebuild, RISK_MANAGER, False),
    (staff.confirm_rebuild, RISK_MANAGER, False),
    (staff.cancel_rebuild, RISK_MANAGER, False),
    (staff.restart_rebuild, RISK_MANAGER, False),
    (staff.rename, RISK_MANAGER, True),
    (staff.block, SENIOR, True),
    (staff.unblock, SENIOR, True),
    (staff.make_key, RISK_MANAGER, True),
    (staff.rotate_key, RISK_MANAGER, True),
    (staff.revoke_key, RISK_MANAGER, True),
    (staff.erase, {SUPERUSER}, True),
    (staff.erase_file, {SUPERUSER}, True),
    (staff.propose_policy, RISK_MANAGER, False),
    (staff.attach_backtest, RISK_MANAGER, False),
    (staff.approve_policy, RISK_MANAGER, False),
    (staff.retire_policy, RISK_MANAGER, False),
    (staff.create_list, RISK_MANAGER, True),
    (staff.archive_list, RISK_MANAGER, True),
    (staff.add_entries, SENIOR, True),
    (staff.add_lines, SENIOR, True),
    (staff.remove_entry, SENIOR, True),
    (staff.ask_reset, RISK_MANAGER, False),
    (staff.approve_reset, RISK_MANAGER, False),
    (staff.decline_reset, RISK_MANAGER, False),
    (staff.add_person, {SUPERUSER}, False),
    (staff.change_role, {SUPERUSER}, False),
    (staff.deactivate, {SUPERUSER}, False),
    (staff.set_name, {SUPERUSER}, False),
    (staff.set_password, {SUPERUSER}, False),
    (staff.delete_person, {SUPERUSER}, False),
    (staff.export_evidence, {"risk manager", "auditor"}, True),
]
# These functions check nothing: their callers have checked the permission or the API key.
BENEATH = {dispatch, policies.decided, submission.submit}
NOTHING_THERE = (
    PaymentNotFound,
    parking.NotParked,
    rebuilds.UnknownRun,
    CustomerError,
    FileNotFoundError,
    PolicyRefused,
    ListRefused,
    SecondReviewRefused,
    RevealRefused,
    ResetRefused,
    gathering.NoSuchPayment,
    staff.LetThrough,
)
commands = pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each[0].__name__)


def person(role: str) -> str:
    user = get_user_model().objects.create(username="grace", is_staff=True)
    if role == SUPERUSER:
        user.is_superuser = True
        user.save()
    else:
        user.groups.add(Group.objects.get(name=role))
    return actors.staff(user.pk)


@commands
@pytest.mark.parametrize("role", ROLES)
def test_command_checks_the_role_itself(
    command: tuple[Callable[[str], None], set[str], bool], role: str
) -> None:
    """The subject does not exist, so a missing check shows as "not found" instead of a refusal."""
    run, allowed, _ = command
    may = role in allowed or role == SUPERUSER
    with pytest.raises(NOTHING_THERE if may else permissions.NotPermitted):
        run(person(role))


@commands
def test_command_refuses_inactive_and_unknown_actors(
    command: tuple[Callable[[str], None], set[str], bool],
) -> None:
    run, _, operators = command
    gone = person("risk manager")
    get_user_model().objects.update(is_active=False)
    nobody = "staff:99999999", "staff:", "staff:x", "staff:٣", "", "system:import"
    for actor in (gone, actors.client(UUID(int=1)), *nobody):
        with pytest.raises(permissions.NotPermitted):
            run(actor)
    with pytest.raises(NOTHING_THERE if operators else permissions.NotPermitted):
        run(OPERATOR)


@commands
def test_revoked_permission_is_refused_at_once(
    command: tuple[Callable[[str], None], set[str], bool],
) -> None:
    run, allowed, _ = command
    by = person(min(allowed))
    with pytest.raises(NOTHING_THERE):
        run(by)
    get_user_model().objects.get(username="grace").groups.clear()
    get_user_model().objects.update(is_superuser=False)
    with pytest.raises(permissions.NotPermitted, match=re.escape(f"({by}) does not hold")):
        run(by)


def test_every_command_is_in_the_table() -> None:
    """Every public function that takes an actor is a command and must be in COMMANDS."""
    seen: set[CodeType] = set()
    sys.setprofile(lambda frame, *_: seen.add(frame.f_code))
    try:
        for command, _, _ in COMMANDS:
            with suppress(*NOTHING_THERE, permissions.NotPermitted):
                command(OPERATOR)
    finally:
        sys.setprofile(None)
    found = {
        each
        for name in (
            "payments",
            "readmodels.engine.parking",
            "readmodels.evidence",
            "readmodels.rebuild.runs",
            "readmodels.staff",
        )
        for each in commands_of(name)
    }
    assert {erasure.erase, review.claim_next, policies.handle, parking.retry} <= found
    missing = {each for each in found - BENEATH if each.__code__ not in seen}
    assert missing == set()


def commands_of(name: str) -> Iterator[FunctionType]:
    """Yield the public functions with an actor: a parameter `by`, a context or a command."""
    root = import_module(name)
    modules = [root]
    if hasattr(root, "__path__"):
        modules += [import_module(each.name) for each in walk_packages(root.__path__, f"{name}.")]
    for module in modules:
        if module.__name__.startswith("payments.domain"):
            continue  # pure functions, no commands
        for function in vars(module).values():
            if (
                isinstance(function, FunctionType)
                and function.__module__ == module.__name__
                and not function.__name__.startswith("_")
                and names_an_actor(function)
            ):
                yield function


def names_an_actor(function: FunctionType) -> bool:
    if "by" in signature(function).parameters:
        return True
    given = get_type_hints(function)
    given.pop("return", None)
    kinds = [kind for hint in given.values() for kind in (hint, *get_args(hint))]
    return any(
        kind is CommandContext or "by" in getattr(kind, "__struct_fields__", ()) for kind in kinds
    )
