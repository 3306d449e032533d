"""The risk policies that people manage: changed by commands here, known by id to every process."""

from typing import Final

from django.db import connection

from payments import permissions
from payments.dispatch import announce
from payments.domain.policy import (
    REGISTER,
    AnyPolicyCommand,
    Register,
    decide,
    evolve,
    replay,
)
from payments.domain.risk import DEFAULT_POLICY, RiskPolicy
from payments.events import store
from payments.events.metadata import Metadata

MANAGE: Final = "events.manage_policies"
_ATTEMPTS: Final = 5

# A policy never changes, so what was read once is known for as long as the process lives.
_known: Final = {DEFAULT_POLICY.policy_id: DEFAULT_POLICY}


class UnknownPolicy(Exception):
    """The log names a policy that it does not hold."""

    def __init__(self, policy_id: str) -> None:
        super().__init__(f"The log holds no risk policy {policy_id}.")


def by_id(policy_id: str | None) -> RiskPolicy:
    """Return the policy, the built-in one for None. A round trip the first time. Raises UnknownPolicy."""
    if policy_id is None:
        return DEFAULT_POLICY
    if policy_id not in _known:
        found = register().policies.get(policy_id)
        if found is None:
            raise UnknownPolicy(policy_id)
        _known[policy_id] = found.policy
    return _known[policy_id]


def register() -> Register:
    """All policies and which one is active, in one round trip."""
    return replay(store.load_policies(REGISTER))


def dispatch(command: AnyPolicyCommand, *, causation_id: str | None = None) -> Register:
    """Carry out `command` and return the register after it.

    Raises NotPermitted, PolicyRefused, StaleVersion.
    """
    permissions.require(command.by, MANAGE)
    metadata = Metadata(actor=command.by, command=command.name, causation_id=causation_id)
    attempt = 1
    while True:
        before = register()
        events = decide(before, command)
        try:
            position = store.append(REGISTER, events, expected=before.version, metadata_=metadata)
        except store.StaleVersion:
            if connection.in_atomic_block or attempt == _ATTEMPTS:
                raise
            attempt += 1
            continue
        announce(position)
        after = before
        for event in events:
            after = evolve(after, event)
        return after
