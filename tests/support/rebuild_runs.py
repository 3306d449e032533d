"""Rebuilds that a risk manager starts and a worker carries out."""

from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from payments import actors
from readmodels.models import PaymentSummary, RebuildRun
from readmodels.rebuild.runs import requests, working
from tests.support.poison import SOUND

SUMMARY: Final = "payment_summary"


def manager(username: str = "ada") -> str:
    """Return the actor id of a risk manager."""
    user, _ = get_user_model().objects.get_or_create(username=username, is_staff=True)
    user.groups.add(Group.objects.get(name="risk manager"))
    return actors.staff(user.pk)


def drift() -> None:
    """Change a row of a live table by hand, so that it differs from the log."""
    PaymentSummary.objects.filter(pk=SOUND).update(method="cash")


def compared(*names: str) -> RebuildRun:
    """Request a rebuild, and let a worker build and compare the tables."""
    run = requests.request(names or (SUMMARY,), by=manager(), at=timezone.now())
    working.run_waiting()
    run.refresh_from_db()
    return run


def confirm(run: RebuildRun, *, by: str | None = None) -> None:
    requests.confirm(run.pk, digest=run.digest, by=by or manager(), at=timezone.now())


def steps(run: RebuildRun) -> list[tuple[str, str]]:
    return list(run.steps.values_list("kind", "actor"))
