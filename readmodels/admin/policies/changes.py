"""The differences between a policy and the active one."""

from difflib import unified_diff

from payments.domain.risk import parsing
from payments.domain.risk.policy import RiskPolicy


def changes(active: RiskPolicy, policy: RiskPolicy) -> list[tuple[str, str]]:
    """Return the differences from the active policy as pairs of kind and line."""
    lines = unified_diff(
        parsing.write(active).splitlines(),
        parsing.write(policy).splitlines(),
        n=4,
        lineterm="",
    )
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return [(kinds.get(line[0], "same"), line) for line in lines][2:]  # without file names
