"""The backtests on a policy's page, and the attached backtest as its event records it."""

from typing import Any, Final

from django.conf import settings
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest
from django.utils import timezone

from payments import permissions
from payments.domain.risk.register import RegisteredPolicy
from readmodels import labels
from readmodels.backtests import requests, tables
from readmodels.backtests.models import Backtest

_NEWEST: Final = 5


def of_policy(request: HttpRequest, policy_id: str) -> dict[str, Any]:
    """Return the newest backtests of the policy, and whether the person may start one."""
    rows = Backtest.objects.filter(candidate_id=policy_id, verifies=None)
    newest = rows.annotate(flip_count=KeyTransform("flips", "result"))
    newest = newest.defer("candidate", "baseline", "result").order_by("-created_at", "-id")
    return {
        "backtests": [
            {
                "backtest": each,
                "state": labels.label(each.state),
                "flips": each.flip_count,
            }
            for each in newest[:_NEWEST]
        ],
        "may_test": permissions.holds(request.user, requests.RUN),
    }


def attached(found: RegisteredPolicy) -> dict[str, Any]:
    """Return the facts that the event of the attached backtest records, for the approver."""
    backtest = found.backtest
    if backtest is None or found.backtest_attached_by is None:
        return {"attached": None, "needs_backtest": settings.POLICY_NEEDS_BACKTEST}
    return {
        "attached": backtest,
        "attached_evaluated": f"{backtest.evaluated:,}",
        "attached_flips": f"{backtest.flips:,}",
        "attached_before": "Baseline" if backtest.baseline else "History",
        "attached_currencies": tables.attached_currencies(backtest),
        "attached_hours": (
            tables.hours(backtest.before.minutes),
            tables.hours(backtest.after.minutes),
        ),
        "attached_fresh": backtest.is_fresh(timezone.now()),
        "attached_by": labels.person(found.backtest_attached_by),
        "attached_at": found.backtest_attached_at,
    }
