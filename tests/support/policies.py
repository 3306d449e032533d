"""Risk policies, and risk managers who propose and approve them."""

from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from msgspec.structs import replace

from payments import actors
from payments.application import policies
from payments.domain.risk.evidence import AttachedBacktest, Change, Work
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.register import (
    ApprovePolicy,
    AttachBacktest,
    ProposePolicy,
    RetirePolicy,
)
from tests.support.examples import NOON

# A policy that sends every payment over ten cents to review.
STRICT: Final = RiskPolicy.of(
    replace(
        DEFAULT_POLICY.document,
        rules=tuple(replace(rule, points=100) for rule in DEFAULT_POLICY.document.rules),
        review_over={"USD": 10, "EUR": 10},
    )
)


# A policy without a limit in euros.
DOLLARS: Final = RiskPolicy.of(replace(DEFAULT_POLICY.document, review_over={"USD": 10}))

BACKTEST: Final = AttachedBacktest(
    backtest_id=UUID("0192f000-0000-4000-8000-00000000b001"),
    policy_id=STRICT.policy_id,
    digest="d1" * 32,
    since=0,
    upto=90,
    known_at=NOON,
    mode="recorded",
    sample_ppm=1_000_000,
    evaluated=30,
    flips=2,
    known_ppm=500_000,
    changes=(
        Change(
            baseline="pass",
            candidate="review",
            label="fraud",
            currency="USD",
            payments=2,
            minor=900_00,
        ),
    ),
    before=Work(payments=1, minutes=6, reviewers=1),
    after=Work(payments=3, minutes=18, reviewers=1),
    drift=0,
    not_evaluable=0,
    verdict="Of 30 payments, 2 would newly wait for review.",
    limits=("History as it was.",),
)


def backtest_of(policy: RiskPolicy, **changes: Any) -> AttachedBacktest:
    return replace(BACKTEST, policy_id=policy.policy_id, **changes)


def attach(backtest: AttachedBacktest, by: str) -> None:
    policies.handle(
        AttachBacktest(policy_id=backtest.policy_id, backtest=backtest, at=timezone.now(), by=by)
    )


def staff(name: str, role: str = "risk manager", **fields: Any) -> str:
    user = get_user_model().objects.create(username=name, is_staff=True, **fields)
    user.groups.add(Group.objects.get(name=role))
    return actors.staff(user.pk)


def propose(policy: RiskPolicy, by: str, *, name: str = "", comment: str = "") -> None:
    policies.handle(
        ProposePolicy(policy=policy, policy_name=name, comment=comment, at=timezone.now(), by=by)
    )


def approve(policy: RiskPolicy, by: str) -> None:
    policies.handle(ApprovePolicy(policy_id=policy.policy_id, at=timezone.now(), by=by))


def activate(policy: RiskPolicy, ada: str, grace: str) -> None:
    propose(policy, ada)
    approve(policy, grace)


def retire(policy: RiskPolicy, by: str) -> None:
    policies.handle(RetirePolicy(policy_id=policy.policy_id, at=timezone.now(), by=by))
