"""Rebuilds that staff started on screen, with their reports. Back them up: no event has them."""

from datetime import datetime
from typing import ClassVar, Final
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models

_DIGITS: Final = 64  # hexadecimal digits of a SHA-256


class RunState(models.TextChoices):
    """The state of a run.

    `COMPARED` waits until a person confirms the report. `COMPARING` and `SWAPPING` need a worker.
    """

    COMPARING = "comparing"
    COMPARED = "compared"
    SWAPPING = "swapping"
    SWAPPED = "swapped"
    CANCELLED = "cancelled"
    FAILED = "failed"


ACTIVE: Final = (RunState.COMPARING, RunState.SWAPPING)
ENDED: Final = (RunState.SWAPPED, RunState.CANCELLED, RunState.FAILED)


class StepKind(models.TextChoices):
    """What happened to a run. `CHANGED`: its report was no longer true, so nothing was swapped."""

    REQUESTED = "requested"
    COMPARED = "compared"
    CONFIRMED = "confirmed"
    CHANGED = "changed"
    SWAPPED = "swapped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RESTARTED = "restarted"


def _in(field: str, values: tuple[str, ...] | list[str]) -> models.Q:
    return models.Q(**{f"{field}__in": [str(value) for value in values]})


class RebuildRun(models.Model):
    """A rebuild of projections: a comparison, then a swap if a person confirms it.

    An active run without a lease waits for a worker. An active run whose lease has ended is
    stalled, because its worker was killed.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    names = ArrayField(models.CharField(max_length=50), help_text="The projections.")
    state = models.CharField(max_length=9, choices=RunState.choices, default=RunState.COMPARING)
    lease = models.UUIDField(null=True, help_text="The token of the worker.")
    leased_until = models.DateTimeField(null=True)
    events = models.BigIntegerField(default=0, help_text="Events read so far.")
    total = models.BigIntegerField(default=0, help_text="About how many events the log has.")
    comparison = models.JSONField(null=True, help_text="See readmodels.rebuild.runs.reports.")
    digest = models.CharField(max_length=_DIGITS, blank=True, help_text="Of the comparison.")
    confirmed = models.CharField(
        max_length=_DIGITS, blank=True, help_text="The digest of the report that was confirmed."
    )
    error = models.CharField(
        max_length=500, blank=True, help_text="Why it failed, or why it waits."
    )
    requested_by = models.CharField(max_length=100, help_text="An actor id.")
    requested_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        verbose_name = "rebuild"
        ordering = ("-requested_at", "-id")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=_in("state", RunState.values), name="rebuild_run_state"
            ),
            models.CheckConstraint(condition=models.Q(names__len__gt=0), name="rebuild_run_names"),
            models.CheckConstraint(
                condition=models.Q(lease__isnull=True, leased_until__isnull=True)
                | _in("state", ACTIVE) & models.Q(lease__isnull=False, leased_until__isnull=False),
                name="rebuild_run_lease",
            ),
            models.CheckConstraint(
                condition=~_in("state", (RunState.COMPARED, RunState.SWAPPING, RunState.SWAPPED))
                | models.Q(comparison__isnull=False) & ~models.Q(digest=""),
                name="rebuild_run_report",
            ),
            models.CheckConstraint(
                condition=~_in("state", (RunState.SWAPPING, RunState.SWAPPED))
                | ~models.Q(confirmed=""),
                name="rebuild_run_confirmed",
            ),
            models.CheckConstraint(
                condition=_in("state", ENDED) & models.Q(ended_at__isnull=False)
                | ~_in("state", ENDED) & models.Q(ended_at__isnull=True),
                name="rebuild_run_ended",
            ),
            models.UniqueConstraint(
                models.Value(1), condition=_in("state", ACTIVE), name="rebuild_run_one_active"
            ),
        )
        indexes = (models.Index(fields=("-requested_at", "-id"), name="rebuild_run_by_time"),)

    def __str__(self) -> str:
        return str(self.pk)[:8]

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    def is_stalled(self, at: datetime) -> bool:
        return self.leased_until is not None and self.leased_until <= at


class RebuildStep(models.Model):
    """What a person or a worker did to a run, recorded in the same transaction."""

    run = models.ForeignKey(RebuildRun, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField(max_length=9, choices=StepKind.choices)
    actor = models.CharField(max_length=100, help_text="An actor id.")
    at = models.DateTimeField()
    note = models.CharField(max_length=500, blank=True, help_text="An error, or a digest.")

    class Meta:
        default_permissions = ()
        ordering = ("id",)
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=_in("kind", StepKind.values), name="rebuild_step_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"
