"""Change and find the risk policies of the register."""

from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from msgspec import Struct
from msgspec.structs import replace

from payments import permissions
from payments.aggregates import POLICY_AGGREGATE
from payments.domain.list_items import ListName
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.refusals import ListsUnusable
from payments.domain.risk.register import (
    REGISTER,
    AnyPolicyCommand,
    AnyPolicyEvent,
    ApprovePolicy,
    ProposePolicy,
    Register,
    RegisteredPolicy,
    decide,
)
from payments.events.metadata import Metadata
from payments.events.reading.horizon import read_stream
from payments.events.replay import execute, fold, load
from payments.lists import entries


class UnknownPolicy(Exception):
    """The register has no policy with this id."""

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"The log holds no risk policy {policy_id}.")


class InForce(Struct, frozen=True):
    """The active policy, and the actor who proposed it, None if it is built in."""

    policy: RiskPolicy
    author: str | None


_BUILT_IN: Final = InForce(DEFAULT_POLICY, None)
# Keyed by id and position, because the author changes if another person proposes the policy again.
_known: Final[dict[tuple[str, int], InForce]] = {}


def in_force(policy_id: str | None, *, as_of: int) -> InForce:
    """Return the policy and its author as of the register's event at position `as_of`.

    If `policy_id` is None, that is the built-in policy.

    The first call for a policy and position takes one round trip, later ones none.
    Raises UnknownPolicy, UnreadableEvent.
    """
    if policy_id is None:
        return _BUILT_IN
    if (policy_id, as_of) not in _known:
        found = _found(policy_id, _register_at(as_of))
        _known[policy_id, as_of] = InForce(found.policy, found.proposed_by)
    return _known[policy_id, as_of]


def by_id(policy_id: str) -> RiskPolicy:
    """Return the policy. All but the built-in one take a round trip. Raises UnknownPolicy."""
    if policy_id == DEFAULT_POLICY.policy_id:
        return DEFAULT_POLICY
    return _found(policy_id, register()).policy


def all_of(register: Register) -> dict[str, RiskPolicy]:
    """Return all policies by id, the built-in one first."""
    proposed = {policy_id: each.policy for policy_id, each in register.policies.items()}
    return {DEFAULT_POLICY.policy_id: DEFAULT_POLICY, **proposed}


def active_of(register: Register) -> RiskPolicy:
    """Return the active policy, which is the built-in one if none was approved."""
    return all_of(register)[register.active or DEFAULT_POLICY.policy_id]


def _found(policy_id: str, register: Register) -> RegisteredPolicy:
    found = register.policies.get(policy_id)
    if found is None:
        raise UnknownPolicy(policy_id)
    return found


def _register_at(position: int) -> Register:
    """Return the register without events after `position`, which may name another author."""
    recorded = read_stream(POLICY_AGGREGATE, REGISTER, after=0, upto=position)
    return fold(POLICY_AGGREGATE, REGISTER, (record.event for record in recorded)) or Register()


def register() -> Register:
    """Return the register in one round trip."""
    return load(POLICY_AGGREGATE, REGISTER).state or Register()


def handle(
    command: AnyPolicyCommand,
    *,
    causation_id: str | None = None,
    correlation_id: str | None = None,
) -> Register:
    """Execute `command` and return the register after it. The ids are those of a CommandContext.

    Raises NotPermitted, PolicyRefused, StaleVersion.
    """
    permissions.require(command.by, permissions.MANAGE_POLICIES)
    metadata = Metadata(
        actor=command.by,
        command=command.name,
        correlation_id=correlation_id,
        causation_id=None if causation_id == correlation_id else causation_id,
    )
    return execute(
        POLICY_AGGREGATE,
        REGISTER,
        lambda before: decided(before, command),
        metadata=metadata,
        alongside=partial(_require_lists, command.policy)
        if isinstance(command, ProposePolicy)
        else None,
    ).state


def decided(register: Register | None, command: AnyPolicyCommand) -> tuple[AnyPolicyEvent, ...]:
    """Return the events of `command` under the settings of this service. Raises PolicyRefused."""
    if isinstance(command, ApprovePolicy):
        command = replace(command, needs_backtest=settings.POLICY_NEEDS_BACKTEST)
    return decide(register, command)


def check_lists(policy: RiskPolicy) -> None:
    """Raise ListsUnusable if the policy names a list that does not exist or is archived."""
    with transaction.atomic():
        _require_lists(policy)


def _require_lists(policy: RiskPolicy) -> None:
    # A proposal calls this in its transaction, so that no list is archived before it commits.
    if missing := entries.unusable(policy.document.lists):
        raise ListsUnusable(policy_id=policy.policy_id, lists=missing)


def using(name: ListName) -> tuple[str, ...]:
    """Return the ids of the active and proposed policies that use the list."""
    return tuple(
        policy_id
        for policy_id, found in register().policies.items()
        if not found.status.is_over and name in found.policy.document.lists
    )
