"""Every command checks the permission itself, from whichever screen or API it is called."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import walk_packages
from types import CodeType, FunctionType
from typing import Any, get_args, get_type_hints
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from msgspec.structs import replace

from payments import actors, permissions
from payments.application import (
    corrections,
    disputes,
    list_files,
    lists,
    note_taking,
    policies,
    review,
    second_reviews,
    submission,
)
from payments.application.dispatch import CommandContext, dispatch
from payments.clients import keys
from payments.clients.models import ApiKey, Client, Scope
from payments.customers import blocking, changes, erasure
from payments.customers.models import Customer
from payments.customers.registry import CustomerError
from payments.domain.customer import BlockReason, UnblockReason
from payments.domain.list_items import Item
from payments.domain.lists import ListRefused
from payments.domain.payment.commands import AnyDisputeCommand, AnyReviewCommand
from payments.domain.payment.events import ApprovalReason
from payments.domain.payment.refusals import PaymentNotFound
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import ApprovePolicy, AttachBacktest, ProposePolicy, RetirePolicy
from payments.domain.second_review import SecondReviewRefused, Severity
from payments.identity import resets
from payments.identity.models import Reason
from payments.identity.resets import ResetRefused
from readmodels.engine import parking
from readmodels.projections import daily_statistics
from readmodels.rebuild.runs import requests as rebuilds
from tests.support import examples
from tests.support.examples import NOON, OPERATOR
from tests.support.lists import AUTHOR, STOLEN
from tests.support.policies import BACKTEST

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SUPERUSER = "superuser"
ROLES = ("viewer", "analyst", "senior reviewer", "risk manager", "auditor", SUPERUSER)
DECIDE = {"analyst", "senior reviewer", "risk manager"}
RISK_MANAGER = {"risk manager"}
SENIOR = {"senior reviewer", "risk manager"}
POLICY = RiskPolicy.of(replace(DEFAULT_POLICY.document, high_from=99))


class LetThrough(Exception):
    """The command was carried out."""


def approve(by: str) -> None:
    carry_out(examples.approve, by)


def reject(by: str) -> None:
    carry_out(examples.reject, by)


def claim(by: str) -> None:
    carry_out(examples.claim, by)


def release(by: str) -> None:
    carry_out(examples.release, by)


def escalate(by: str) -> None:
    carry_out(examples.escalate, by)


def carry_out(command: Callable[..., AnyReviewCommand], by: str) -> None:
    review.handle(command(payment_id=uuid4()), CommandContext(actor=by))


def cancel(by: str) -> None:
    corrections.handle(
        examples.cancel(payment_id=uuid4(), client_id=None), CommandContext(actor=by)
    )


def refund(by: str) -> None:
    corrections.handle(
        examples.refund(payment_id=uuid4(), client_id=None), CommandContext(actor=by)
    )


def add_note(by: str) -> None:
    note_taking.add(uuid4(), "Called back.", CommandContext(actor=by), at=NOON)


def open_dispute(by: str) -> None:
    dispute(examples.open_dispute, by)


def update_dispute(by: str) -> None:
    dispute(examples.update_dispute, by)


def respond_to_dispute(by: str) -> None:
    dispute(examples.respond_to_dispute, by)


def close_dispute(by: str) -> None:
    dispute(examples.close_dispute, by)


def record_notices(by: str) -> None:
    notice = examples.open_dispute(payment_id=uuid4(), client_id=None)
    disputes.record_all([notice], CommandContext(actor=by))
    raise LetThrough


def dispute(command: Callable[..., AnyDisputeCommand], by: str) -> None:
    disputes.handle(command(payment_id=uuid4(), client_id=None), CommandContext(actor=by))


def claim_next(by: str) -> None:
    review.claim_next(client_id=None, at=NOON, context=CommandContext(actor=by))
    raise LetThrough


def conclude_second_review(by: str) -> None:
    reason, severity = ApprovalReason.KNOWN_CUSTOMER, Severity.MINOR
    second_reviews.conclude(uuid4(), reason=reason, severity=severity, note=None, by=by, at=NOON)


def retry(by: str) -> None:
    parking.retry(daily_statistics.PROJECTION, uuid4(), by=by)


def discard(by: str) -> None:
    parking.discard(daily_statistics.PROJECTION, 1, reason="Entered twice", by=by, at=NOON)


def request_rebuild(by: str) -> None:
    rebuilds.request(["review_day"], by=by, at=NOON)
    raise LetThrough


def confirm_rebuild(by: str) -> None:
    rebuilds.confirm(uuid4(), digest="", by=by, at=NOON)


def cancel_rebuild(by: str) -> None:
    rebuilds.cancel(uuid4(), by=by, at=NOON)


def restart_rebuild(by: str) -> None:
    rebuilds.restart(uuid4(), by=by, at=NOON)


def rename(by: str) -> None:
    changes.rename(uuid4(), {"name": "Ada Ng"}, by=by)


def block(by: str) -> None:
    blocking.change(uuid4(), reason=BlockReason.CHARGEBACKS, note="Case 12", by=by, at=NOON)


def unblock(by: str) -> None:
    blocking.change(uuid4(), reason=UnblockReason.CLEARED, note="Case 12", by=by, at=NOON)


def make_key(by: str) -> None:
    keys.create(Client.objects.create(name=f"Acme {uuid4()}"), [Scope.PAYMENTS_READ], by=by)
    raise LetThrough


def rotate_key(by: str) -> None:
    keys.rotate(key(), at=NOON, old_until=NOON, by=by)
    raise LetThrough


def revoke_key(by: str) -> None:
    keys.revoke(key(), at=NOON, by=by)
    raise LetThrough


def key() -> ApiKey:
    client = Client.objects.create(name=f"Acme {uuid4()}")
    return keys.create(client, [Scope.PAYMENTS_READ], by=OPERATOR)[0]


def erase(by: str) -> None:
    given: dict[str, Any] = {"reference": "customer-123", "reason": "Case 12", "at": NOON}
    list(erasure.erase(customer(), by=by, **given))
    raise LetThrough


def erase_file(by: str) -> None:
    erasure.erase_file(Path("nowhere.csv"), customer(), reference="customer-123", by=by)


def customer() -> Customer:
    client = Client.objects.create(name=f"Acme {uuid4()}")
    return Customer.objects.create(pk=uuid4(), client=client, reference="customer-123")


def propose_policy(by: str) -> None:
    policies.handle(ProposePolicy(policy=POLICY, at=NOON, by=by))
    raise LetThrough


def attach_backtest(by: str) -> None:
    policies.handle(AttachBacktest(policy_id="none", backtest=BACKTEST, at=NOON, by=by))


def approve_policy(by: str) -> None:
    policies.handle(ApprovePolicy(policy_id="none", at=NOON, by=by))


def retire_policy(by: str) -> None:
    policies.handle(RetirePolicy(policy_id="none", at=NOON, by=by))


def create_list(by: str) -> None:
    lists.create(STOLEN, Item.COUNTRY, replace(AUTHOR, by=by))
    raise LetThrough


def archive_list(by: str) -> None:
    lists.archive(STOLEN, replace(AUTHOR, by=by))


def add_entries(by: str) -> None:
    lists.add(STOLEN, ["DE"], replace(AUTHOR, by=by))


def add_lines(by: str) -> None:
    list(list_files.add(STOLEN, Item.COUNTRY, ["DE"], replace(AUTHOR, by=by)))


def remove_entry(by: str) -> None:
    lists.remove(STOLEN, "DE", replace(AUTHOR, by=by))


def ask_reset(by: str) -> None:
    colleague = get_user_model()(pk=99_999_999, username="zoe")
    resets.ask(colleague, Reason.LOST, by=by, at=NOON)


def approve_reset(by: str) -> None:
    resets.approve(uuid4(), by=by, at=NOON)


def decline_reset(by: str) -> None:
    resets.decline(uuid4(), by=by, at=NOON)


# Each command, the roles that may give it, and whether operators of the machine may. Its subject does not
# exist, so "not found" means that the permission check has passed.
COMMANDS: list[tuple[Callable[[str], None], set[str], bool]] = [
    (approve, DECIDE, False),
    (reject, DECIDE, False),
    (claim, DECIDE, False),
    (release, DECIDE, False),
    (escalate, DECIDE, False),
    (claim_next, DECIDE, False),
    (cancel, {"senior reviewer"}, False),
    (refund, {"senior reviewer"}, False),
    (add_note, DECIDE, False),
    (open_dispute, {"senior reviewer"}, True),
    (update_dispute, {"senior reviewer"}, True),
    (respond_to_dispute, {"senior reviewer"}, True),
    (close_dispute, {"senior reviewer"}, True),
    (record_notices, {"senior reviewer"}, True),
    (conclude_second_review, {"senior reviewer"}, False),
    (retry, RISK_MANAGER, True),
    (discard, RISK_MANAGER, True),
    (request_rebuild, RISK_MANAGER, False),
    (confirm_rebuild, RISK_MANAGER, False),
    (cancel_rebuild, RISK_MANAGER, False),
    (restart_rebuild, RISK_MANAGER, False),
    (rename, RISK_MANAGER, True),
    (block, SENIOR, True),
    (unblock, SENIOR, True),
    (make_key, RISK_MANAGER, True),
    (rotate_key, RISK_MANAGER, True),
    (revoke_key, RISK_MANAGER, True),
    (erase, {SUPERUSER}, True),
    (erase_file, {SUPERUSER}, True),
    (propose_policy, RISK_MANAGER, False),
    (attach_backtest, RISK_MANAGER, False),
    (approve_policy, RISK_MANAGER, False),
    (retire_policy, RISK_MANAGER, False),
    (create_list, RISK_MANAGER, True),
    (archive_list, RISK_MANAGER, True),
    (add_entries, SENIOR, True),
    (add_lines, SENIOR, True),
    (remove_entry, SENIOR, True),
    (ask_reset, RISK_MANAGER, False),
    (approve_reset, RISK_MANAGER, False),
    (decline_reset, RISK_MANAGER, False),
]
# Functions below the check: their callers have checked the permission or the API key.
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
    ResetRefused,
    LetThrough,
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
    get_user_model().objects.get().groups.clear()
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
        for name in ("payments", "readmodels.engine.parking", "readmodels.rebuild.runs")
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
            continue  # pure functions
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
