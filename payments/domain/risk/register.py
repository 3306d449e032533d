"""The register of risk policies: one person proposes a policy, another approves it.

All policies are one aggregate, because exactly one is active: an approval retires the previous
policy in the same append. Only an approval changes the active policy, so every change needs two
people, even a return to the built-in policy. Every event names the policy that is active after it,
so scoring a payment needs only the last event.

A policy's name and comment are in the event of its proposal, not in its document, so that its id
does not depend on them. The sealed log keeps them permanently, so they must not hold personal data.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final, assert_never, get_args
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.risk.evidence import AttachedBacktest
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, PolicyStatus, RiskPolicy
from payments.domain.risk.refusals import (
    ActivePolicyChanged,
    ActivePolicyKept,
    AttachedBacktestChanged,
    BacktestOfAnotherPolicy,
    BuiltInPolicyActive,
    PolicyAlreadyActive,
    PolicyAlreadyProposed,
    PolicyNotBacktested,
    PolicyNotFound,
    PolicyNotProposed,
    SecondPersonNeeded,
)
from payments.domain.text import checked_text

MAX_NAME: Final = 80
MAX_COMMENT: Final = 1_000
REGISTER: Final = UUID("a1f0c7de-9d0c-4b52-8c63-6f0d2c7b51ce")
AGGREGATE_TYPE: Final = "policy"


class PolicyEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of the register.

    `active` is the policy that is active after the event, None for the built-in one.
    """

    event_type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    at: datetime
    policy_id: str
    by: str  # the actor id of a member of staff
    active: str | None = None


class PolicyProposed(PolicyEvent, frozen=True, kw_only=True):
    """A policy was proposed. `name` and `comment` are empty in events that older code stored."""

    event_type: ClassVar[str] = "policy.proposed"

    document: PolicyDocument
    name: str = ""
    comment: str = ""


class PolicyApproved(PolicyEvent, frozen=True, kw_only=True):
    """The policy is active from now on."""

    event_type: ClassVar[str] = "policy.approved"


class PolicyRetired(PolicyEvent, frozen=True, kw_only=True):
    """The policy was replaced by `replaced_by`, or withdrawn before its approval if that is None."""

    event_type: ClassVar[str] = "policy.retired"

    replaced_by: str | None = None


class PolicyBacktested(PolicyEvent, frozen=True, kw_only=True):
    """A backtest is attached to the proposed policy. The approver sees its numbers."""

    event_type: ClassVar[str] = "policy.backtested"

    backtest: AttachedBacktest


AnyPolicyEvent = PolicyProposed | PolicyApproved | PolicyRetired | PolicyBacktested
POLICY_EVENT_CLASSES: Final[tuple[type[AnyPolicyEvent], ...]] = get_args(AnyPolicyEvent)


class PolicyCommand(Struct, frozen=True, kw_only=True):
    name: ClassVar[str]

    at: datetime
    by: str


class ProposePolicy(PolicyCommand, frozen=True, kw_only=True):
    """Propose a policy. The caller checks the texts with `checked_name` and `checked_comment`."""

    name: ClassVar[str] = "propose_policy"

    policy: RiskPolicy
    policy_name: str = ""
    comment: str = ""


class AttachBacktest(PolicyCommand, frozen=True, kw_only=True):
    """Attach a finished backtest to a proposed policy. It replaces one that is attached already."""

    name: ClassVar[str] = "attach_backtest"

    policy_id: str
    backtest: AttachedBacktest


class ApprovePolicy(PolicyCommand, frozen=True, kw_only=True):
    """Activate a proposed policy.

    The use case sets `needs_backtest`, which requires that a fresh backtest is attached.
    `compared_with` is the id of the active policy with which the approver compared the proposal.
    `backtest_seen` is the digest of the attached backtest that the approver saw, or empty if there
    was none. Both accept anything if None.
    """

    name: ClassVar[str] = "approve_policy"

    policy_id: str
    needs_backtest: bool = False
    compared_with: str | None = None
    backtest_seen: str | None = None


class RetirePolicy(PolicyCommand, frozen=True, kw_only=True):
    """Withdraw a proposed policy."""

    name: ClassVar[str] = "retire_policy"

    policy_id: str


AnyPolicyCommand = ProposePolicy | AttachBacktest | ApprovePolicy | RetirePolicy


class RegisteredPolicy(Struct, frozen=True, kw_only=True):
    """A policy with its latest proposal and what followed.

    `backtest` is the latest one that was attached to this proposal. `replaced_by` is the id of the policy
    that replaced this one, None for the built-in policy.
    """

    policy: RiskPolicy
    status: PolicyStatus
    proposed_by: str
    proposed_at: datetime
    name: str = ""
    comment: str = ""
    backtest: AttachedBacktest | None = None
    backtest_attached_by: str | None = None
    backtest_attached_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    retired_by: str | None = None
    retired_at: datetime | None = None
    replaced_by: str | None = None


class Register(Struct, frozen=True, kw_only=True):
    """All policies by id, in the order of their first proposal.

    `active` is the id of the active policy, None for the built-in one.
    """

    version: int = 0
    policies: Mapping[str, RegisteredPolicy] = {}
    active: str | None = None


def checked_name(text: str) -> str:
    """Return a policy's name as it is stored. Raises TextError."""
    return checked_text(text, max_length=MAX_NAME)


def checked_comment(text: str) -> str:
    """Return a proposal's comment as it is stored. It may be empty. Raises TextError."""
    return checked_text(text, max_length=MAX_COMMENT, multiline=True) if text.strip() else ""


def decide(register: Register | None, command: AnyPolicyCommand) -> tuple[AnyPolicyEvent, ...]:
    """Return the events of `command`. Raises PolicyRefused."""
    register = register or Register()
    match command:
        case ProposePolicy(policy=policy):
            _require_proposable(register, policy.policy_id)
            proposed = PolicyProposed(
                at=command.at,
                by=command.by,
                policy_id=policy.policy_id,
                document=policy.document,
                name=command.policy_name,
                comment=command.comment,
                active=register.active,
            )
            return (proposed,)
        case AttachBacktest(policy_id=policy_id, backtest=backtest):
            found = _proposed(register, policy_id)
            if backtest.policy_id != policy_id:
                raise BacktestOfAnotherPolicy(policy_id=policy_id, tested=backtest.policy_id)
            if found.backtest == backtest:
                return ()
            attached = PolicyBacktested(
                at=command.at,
                by=command.by,
                policy_id=policy_id,
                backtest=backtest,
                active=register.active,
            )
            return (attached,)
        case ApprovePolicy(policy_id=policy_id):
            _require_approvable(register, command)
            approved = PolicyApproved(
                at=command.at, by=command.by, policy_id=policy_id, active=policy_id
            )
            if register.active is None:
                return (approved,)
            replaced = PolicyRetired(
                at=command.at,
                by=command.by,
                policy_id=register.active,
                replaced_by=policy_id,
                active=policy_id,
            )
            return (approved, replaced)
        case RetirePolicy(policy_id=policy_id):
            _require_withdrawable(register, policy_id)
            retired = PolicyRetired(
                at=command.at, by=command.by, policy_id=policy_id, active=register.active
            )
            return (retired,)
        case _:
            assert_never(command)


def evolve(register: Register | None, _register_id: UUID, event: AnyPolicyEvent) -> Register:
    """Return the register after `event`."""
    register = register or Register()
    policies = dict(register.policies)
    match event:
        case PolicyProposed():
            policies[event.policy_id] = RegisteredPolicy(
                policy=RiskPolicy(event.policy_id, event.document),
                status=PolicyStatus.PROPOSED,
                proposed_by=event.by,
                proposed_at=event.at,
                name=event.name,
                comment=event.comment,
            )
        case PolicyApproved():
            policies[event.policy_id] = replace(
                policies[event.policy_id],
                status=PolicyStatus.ACTIVE,
                approved_by=event.by,
                approved_at=event.at,
            )
        case PolicyRetired():
            before = policies[event.policy_id]
            # Older code could retire the active policy without naming the built-in one that replaced it.
            withdrawn = before.status is PolicyStatus.PROPOSED
            policies[event.policy_id] = replace(
                before,
                status=PolicyStatus.WITHDRAWN if withdrawn else PolicyStatus.REPLACED,
                retired_by=event.by,
                retired_at=event.at,
                replaced_by=event.replaced_by,
            )
        case PolicyBacktested():
            policies[event.policy_id] = replace(
                policies[event.policy_id],
                backtest=event.backtest,
                backtest_attached_by=event.by,
                backtest_attached_at=event.at,
            )
        case _:
            assert_never(event)
    return Register(version=register.version + 1, policies=policies, active=event.active)


def _found(register: Register, policy_id: str) -> RegisteredPolicy:
    if policy_id not in register.policies:
        raise PolicyNotFound(policy_id=policy_id)
    return register.policies[policy_id]


def _require_proposable(register: Register, policy_id: str) -> None:
    if policy_id == DEFAULT_POLICY.policy_id and register.active is None:
        raise BuiltInPolicyActive(policy_id=policy_id)
    found = register.policies.get(policy_id)
    if found is not None and not found.status.is_over:
        since = found.approved_at or found.proposed_at
        raise PolicyAlreadyProposed(policy_id=policy_id, status=found.status, since=since)


def _proposed(register: Register, policy_id: str) -> RegisteredPolicy:
    found = _found(register, policy_id)
    if found.status is PolicyStatus.ACTIVE:
        assert found.approved_by and found.approved_at, "an active policy was approved"  # noqa: PT018, S101
        raise PolicyAlreadyActive(
            policy_id=policy_id, approved_by=found.approved_by, approved_at=found.approved_at
        )
    if found.status.is_over:
        raise PolicyNotProposed(policy_id=policy_id, status=found.status)
    return found


def _require_approvable(register: Register, command: ApprovePolicy) -> None:
    policy_id = command.policy_id
    found = _proposed(register, policy_id)
    if command.by == found.proposed_by:
        raise SecondPersonNeeded(policy_id=policy_id, proposed_by=command.by)
    if command.compared_with not in {None, register.active or DEFAULT_POLICY.policy_id}:
        raise ActivePolicyChanged(policy_id=policy_id)
    backtest = found.backtest
    if command.backtest_seen not in {None, backtest.digest if backtest else ""}:
        raise AttachedBacktestChanged(policy_id=policy_id)
    if command.needs_backtest and not (backtest and backtest.is_fresh(command.at)):
        raise PolicyNotBacktested(
            policy_id=policy_id, known_at=backtest.known_at if backtest else None
        )


def _require_withdrawable(register: Register, policy_id: str) -> None:
    found = _found(register, policy_id)
    if found.status.is_over:
        raise PolicyNotProposed(policy_id=policy_id, status=found.status)
    if found.status is PolicyStatus.ACTIVE:
        raise ActivePolicyKept(policy_id=policy_id)
