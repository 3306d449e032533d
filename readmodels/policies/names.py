"""The names of risk policies on screens."""

from payments.domain.risk.policy import DEFAULT_POLICY
from payments.domain.risk.register import Register
from readmodels import labels


def names_of(register: Register) -> dict[str, str]:
    """Return the names of all policies by id. A policy without a name is named after its id."""
    names = {DEFAULT_POLICY.policy_id: "Built-in policy"}
    for policy_id, each in register.policies.items():
        names[policy_id] = labels.isolated(each.name) or short(policy_id)
    return names


def short(policy_id: str) -> str:
    return f"Policy {policy_id[:12]}"
