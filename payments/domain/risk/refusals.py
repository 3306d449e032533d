"""Refusals: why the register of policies does not allow a command.

A refusal carries data, which the screens and commands render. `str()` is a sentence for the command line.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from payments.domain.list_items import ListName
from payments.domain.risk.evidence import FRESH
from payments.domain.risk.policy import PolicyStatus

_SHOWN = 12  # digits of a policy's id


@dataclass(kw_only=True, eq=False)
class PolicyRefused(Exception):
    """A command that the register does not allow."""

    policy_id: str

    @property
    def short_id(self) -> str:
        return self.policy_id[:_SHOWN]


@dataclass(kw_only=True, eq=False)
class PolicyNotFound(PolicyRefused):
    """The register has no policy with this id."""

    def __str__(self) -> str:
        return f"There is no policy {self.short_id}."


@dataclass(kw_only=True, eq=False)
class BuiltInPolicyActive(PolicyRefused):
    """The built-in policy is active, so it cannot be proposed."""

    def __str__(self) -> str:
        return "This is the built-in policy, which is active already."


@dataclass(kw_only=True, eq=False)
class PolicyAlreadyProposed(PolicyRefused):
    """The policy is proposed or active, so it cannot be proposed."""

    status: PolicyStatus
    since: datetime

    def __str__(self) -> str:
        return f"Policy {self.short_id} has been {self.status} since {_second(self.since)}."


@dataclass(kw_only=True, eq=False)
class PolicyAlreadyActive(PolicyRefused):
    """The policy is active, so it can neither be approved nor get a backtest."""

    approved_by: str
    approved_at: datetime

    def __str__(self) -> str:
        at = _second(self.approved_at)
        return f"Policy {self.short_id} is active already: {self.approved_by} approved it at {at}."


@dataclass(kw_only=True, eq=False)
class PolicyNotProposed(PolicyRefused):
    """The policy was withdrawn or replaced, so its proposal cannot change."""

    status: PolicyStatus

    def __str__(self) -> str:
        return f"Policy {self.short_id} is {self.status}. Propose it again first."


@dataclass(kw_only=True, eq=False)
class ActivePolicyKept(PolicyRefused):
    """The policy is active, so only the approval of another policy can retire it."""

    def __str__(self) -> str:
        return (
            f"Policy {self.short_id} is active. Only another policy ends it: one person proposes it,"
            " a second person approves it. The built-in policy can be proposed too."
        )


@dataclass(kw_only=True, eq=False)
class ActivePolicyChanged(PolicyRefused):
    """The policy that the approver compared the proposal with is not active anymore."""

    def __str__(self) -> str:
        return "Another policy became active in the meantime. Check the differences again."


@dataclass(kw_only=True, eq=False)
class AttachedBacktestChanged(PolicyRefused):
    """The backtest whose numbers the approver saw is not the attached one anymore."""

    def __str__(self) -> str:
        return "Another backtest was attached in the meantime. Check its numbers."


@dataclass(kw_only=True, eq=False)
class SecondPersonNeeded(PolicyRefused):
    """The person who proposed the policy cannot approve it."""

    proposed_by: str

    def __str__(self) -> str:
        return "You cannot approve a policy that you proposed: ask a second person."


@dataclass(kw_only=True, eq=False)
class BacktestOfAnotherPolicy(PolicyRefused):
    """The backtest tested another policy."""

    tested: str

    def __str__(self) -> str:
        return (
            f"The backtest tested policy {self.tested[:_SHOWN]}, not {self.short_id}."
            " Run one of this policy."
        )


@dataclass(kw_only=True, eq=False)
class PolicyNotBacktested(PolicyRefused):
    """The approval needs an attached backtest, and there is none or its data are too old.

    `known_at` is the time up to which the attached backtest covers the log, if there is one.
    """

    code: ClassVar[str] = "policy_not_backtested"

    known_at: datetime | None

    def __str__(self) -> str:
        if self.known_at is None:
            return (
                f"Policy {self.short_id} needs a backtest before its approval. Run one, and attach it"
                " to the proposal."
            )
        return (
            f"The backtest of policy {self.short_id} knows the log up to {_second(self.known_at)}, which"
            f" is {FRESH.days} days ago or more. Run a new one, and attach it to the proposal."
        )


@dataclass(kw_only=True, eq=False)
class ListsUnusable(PolicyRefused):
    """The policy names lists that do not exist or are archived."""

    lists: tuple[ListName, ...]

    def __str__(self) -> str:
        names = ", ".join(self.lists)
        return f"No list named {names} is in use. Create it first, or name another one."


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
