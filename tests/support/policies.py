"""Risk policies, and risk managers who propose and approve them."""

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from msgspec.structs import replace

from payments import actors
from payments.application import policies
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.register import (
    ApprovePolicy,
    ProposePolicy,
    RetirePolicy,
)

# Sends every payment over ten cents to review.
STRICT: Final = RiskPolicy.of(
    replace(
        DEFAULT_POLICY.document,
        rules=tuple(replace(rule, points=100) for rule in DEFAULT_POLICY.document.rules),
        review_over={"USD": 10, "EUR": 10},
    )
)


# Has no limit in euros.
DOLLARS: Final = RiskPolicy.of(replace(DEFAULT_POLICY.document, review_over={"USD": 10}))


def staff(name: str, role: str = "risk manager", **fields: Any) -> str:
    user = get_user_model().objects.create(username=name, is_staff=True, **fields)
    user.groups.add(Group.objects.get(name=role))
    return actors.staff(user.pk)


def propose(policy: RiskPolicy, by: str, *, name: str = "", comment: str = "") -> None:
    policies.handle(
        ProposePolicy(policy=policy, policy_name=name, comment=comment, at=timezone.now(), by=by)
    )


def activate(policy: RiskPolicy, ada: str, grace: str) -> None:
    propose(policy, ada)
    policies.handle(ApprovePolicy(policy_id=policy.policy_id, at=timezone.now(), by=grace))


def retire(policy: RiskPolicy, by: str) -> None:
    policies.handle(RetirePolicy(policy_id=policy.policy_id, at=timezone.now(), by=by))
