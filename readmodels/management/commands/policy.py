"""Show, propose, approve and withdraw risk policies."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.parsing import InvalidPolicy
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import (
    MAX_COMMENT,
    MAX_NAME,
    AnyPolicyCommand,
    ApprovePolicy,
    ProposePolicy,
    Register,
    RetirePolicy,
    checked_comment,
    checked_name,
)
from payments.domain.text import TextError
from payments.permissions import NotPermitted
from payments.printing import print_table
from readmodels import labels
from readmodels.management.finding import find_policy
from readmodels.management.people import actor
from readmodels.policies.differences import differences

_SHOWN: Final = 12  # digits of an id, enough to distinguish policies
_BUILT_IN: Final = "built-in"


class Command(BaseCommand):
    help = "Show the risk policies, propose one, approve another person's proposal, withdraw one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py policy list\n"
            "  ./manage.py policy show > policy.json            the active one, to edit\n"
            "  ./manage.py policy diff 94d4d6ad220d             what it changes in the active one\n"
            "  ./manage.py policy propose policy.json --name 'Lower limits' --by ada\n"
            "  ./manage.py policy approve 94d4d6ad220d --by grace\n"
            "  ./manage.py policy retire 94d4d6ad220d --by ada  withdraw the proposal\n"
            "  ./manage.py policy show built-in > policy.json   to propose and approve it like any other\n\n"
            "An approved policy scores all later payments. Proposer and approver must be two people.\n"
            "Approving a policy replaces the one before it. The active one cannot be withdrawn.\n"
            "The log keeps names and comments permanently: do not write personal data in them.\n"
            "ID is a policy's id or the first digits of it. Amounts in JSON are in minor units.\n"
            "Exit codes: 0 done, 1 refused (with the reason), 2 wrong argument."
        )
        commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        commands.add_parser("list", help="all policies with their proposers and approvers")
        show = commands.add_parser("show", help="a policy as JSON: ID, built-in or the active one")
        show.add_argument("policy", nargs="?", metavar="ID")
        diff = commands.add_parser("diff", help="what a policy changes, compared with another one")
        diff.add_argument("policy", metavar="A", help="ID or built-in")
        diff.add_argument("base", nargs="?", metavar="B", help="ID, built-in or the active one")
        propose = commands.add_parser("propose", help="propose the policy in a file")
        propose.add_argument("file", type=Path, metavar="FILE")
        propose.add_argument(
            "--name", required=True, type=_text(checked_name), help=f"at most {MAX_NAME} characters"
        )
        propose.add_argument(
            "--comment",
            default="",
            type=_text(checked_comment),
            help=f"for the approver: at most {MAX_COMMENT} characters",
        )
        approve = commands.add_parser("approve", help="make a proposed policy the active one")
        retire = commands.add_parser("retire", help="withdraw a proposed policy")
        for each in (approve, retire):
            each.add_argument("policy", metavar="ID")
        for each in (propose, approve, retire):
            each.add_argument("--by", required=True, metavar="USER", help="a risk manager")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        register = policies.register()
        match action:
            case "list":
                self._list(register)
            case "show":
                self._show(register, options["policy"])
            case "diff":
                base = _policy(register, options["base"])
                self._diff(base, _policy(register, options["policy"]))
            case "propose":
                policy = _read(options["file"])
                by = actor(options["by"])
                self._dispatch(
                    ProposePolicy(
                        policy=policy,
                        policy_name=options["name"],
                        comment=options["comment"],
                        at=timezone.now(),
                        by=by,
                    )
                )
                self.stdout.write(
                    f"Proposed {policy.policy_id[:_SHOWN]}. A second risk manager approves it:"
                    f" ./manage.py policy approve {policy.policy_id[:_SHOWN]} --by USER"
                )
            case "approve":
                policy_id = find_policy(register.policies, options["policy"])
                by = actor(options["by"])
                self._dispatch(ApprovePolicy(policy_id=policy_id, at=timezone.now(), by=by))
                self.stdout.write(f"{policy_id[:_SHOWN]} is active from now on.")
            case _:
                policy_id = find_policy(register.policies, options["policy"])
                by = actor(options["by"])
                after = self._dispatch(RetirePolicy(policy_id=policy_id, at=timezone.now(), by=by))
                active = (after.active or _BUILT_IN)[:_SHOWN]
                self.stdout.write(
                    f"{policy_id[:_SHOWN]} is withdrawn. The active policy is {active}."
                )

    def _dispatch(self, command: AnyPolicyCommand) -> Register:
        try:
            # Record the operator too: --by accepts any name.
            return policies.handle(command, causation_id=actors.operator())
        except (PolicyRefused, NotPermitted) as error:
            raise CommandError(str(error)) from error

    def _list(self, register: Register) -> None:
        table = Table(box=SIMPLE_HEAD)
        for column in (
            "policy",
            "name",
            "status",
            "rules",
            "proposed (UTC)",
            "approved (UTC)",
            "ended (UTC)",
        ):
            table.add_column(column, overflow="fold")
        rules = str(len(DEFAULT_POLICY.document.rules))
        in_force = "" if register.active else "active"
        table.add_row(_BUILT_IN, "", in_force, rules, "", "", "")
        found = register.policies.values()
        names = labels.people(
            actor
            for each in found
            for actor in (each.proposed_by, each.approved_by, each.retired_by)
        )
        for each in found:
            when = (
                f"{at:%Y-%m-%d %H:%M} {names.get(by, by)}" if at and by else ""
                for at, by in (
                    (each.proposed_at, each.proposed_by),
                    (each.approved_at, each.approved_by),
                    (each.retired_at, each.retired_by),
                )
            )
            rules = str(len(each.policy.document.rules))
            table.add_row(
                each.policy.policy_id[:_SHOWN],
                labels.isolated(each.name),
                each.status,
                rules,
                *when,
            )
        print_table(table, self.stdout)

    def _show(self, register: Register, wanted: str | None) -> None:
        policy = _policy(register, wanted)
        found = register.policies.get(policy.policy_id)
        self.stderr.write(f"{policy.policy_id}, {found.status if found else _BUILT_IN}")
        for text in (found.name, found.comment) if found else ():
            if text:
                self.stderr.write(labels.isolated(text))
        if changes := differences(_policy(register, None).document, policy.document):
            self.stderr.write("Compared with the active policy:")
        for each in changes:
            self.stderr.write(f"  {each}")
        if found is not None and found.backtest is not None:
            backtest = found.backtest
            self.stderr.write(f"Backtest {backtest.backtest_id}: {backtest.verdict}")
            for limit in backtest.limits:
                self.stderr.write(f"- {limit}")
            self.stderr.write(
                f"Digest {backtest.digest}, the log up to {_second(backtest.known_at)}"
            )
        self.stdout.write(parsing.write(policy))

    def _diff(self, base: RiskPolicy, policy: RiskPolicy) -> None:
        for each in differences(base.document, policy.document):
            self.stdout.write(str(each))
        if base == policy:
            self.stderr.write("They are the same policy.")


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _text(checked: Callable[[str], str]) -> Callable[[str], str]:
    """Return an argument type for a text."""

    def read(given: str) -> str:
        try:
            return checked(given)
        except TextError as error:
            raise ArgumentTypeError(str(error)) from error

    return read


def _read(file: Path) -> RiskPolicy:
    try:
        return parsing.read(file.read_bytes())
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except InvalidPolicy as error:
        raise CommandError("\n".join(f"{file}: {each}" for each in error.problems)) from error


def _policy(register: Register, wanted: str | None) -> RiskPolicy:
    """Return the policy with this id, the built-in one, or the active one if None is wanted."""
    if wanted == _BUILT_IN:
        return DEFAULT_POLICY
    if wanted is None:
        return policies.active_of(register)
    return register.policies[find_policy(register.policies, wanted)].policy
