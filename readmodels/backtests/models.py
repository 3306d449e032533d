"""Backtests, their parts and facts while they are unfinished, and shadows.

No rebuild restores backtests, because the log does not hold the questions that people asked. Parts
and facts exist only until the backtest has ended. The days of a shadow can be computed again from
the log.
"""

from datetime import datetime
from typing import ClassVar, Final
from uuid import uuid4

from django.db import models
from django.utils import timezone

from payments.domain.backtest.question import Mode
from payments.domain.backtest.sampling import WHOLE

_DIGITS: Final = 64  # hexadecimal digits of a SHA-256


class State(models.TextChoices):
    """A backtest's state. `QUEUED` includes interrupted ones, which keep their finished parts."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


SLOTS: Final = (1, 2, 3)  # one for each shadow that may run at a time


class ShadowState(models.TextChoices):
    """A shadow's state.

    `APPROVED` and `WITHDRAWN` say how its proposal ended. `EXPIRED` means that it ran until its end
    time.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


UNFINISHED: Final = (State.QUEUED, State.RUNNING)


class PartState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class Phase(models.IntegerChoices):
    """A phase of a backtest. `READ` reads a range of the log, `FOLD` the facts of a slice."""

    READ = 1
    FOLD = 2


def _choice(field: str, values: list[str]) -> models.Q:
    return models.Q(**{f"{field}__in": values})


class Backtest(models.Model):
    """A question about a policy, and its result. See payments.domain.backtest.question.Question.

    Until `active_until`, a worker is working on it or a process is waiting for its turn. After
    that, an unfinished backtest counts as interrupted, unless it runs in the background.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    candidate_id = models.CharField(max_length=_DIGITS, help_text="The id of the policy.")
    candidate = models.JSONField(help_text="The document of the policy.")
    baseline_id = models.CharField(
        max_length=_DIGITS, blank=True, help_text="Empty: what the history records."
    )
    baseline = models.JSONField(null=True)
    since = models.BigIntegerField(help_text="Payments begin after this position of the log.")
    upto = models.BigIntegerField(help_text="A safe position. Nothing after it is known.")
    known_at = models.DateTimeField(help_text="The time of the log at `upto`: labels mature by it.")
    mode = models.CharField(max_length=13, choices=[(each.value, each.value) for each in Mode])
    sample_ppm = models.IntegerField(help_text="Parts per million of the payments.")
    seed = models.BigIntegerField()
    mature = models.DurationField(help_text="A payment without fraud is good after this time.")
    engine = models.IntegerField(help_text="The version of the engine.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    in_background = models.BooleanField(help_text="The workers of the service run it.")
    active_until = models.DateTimeField(null=True)
    requested_by = models.CharField(max_length=100, help_text="An actor id.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, help_text="A sentence of the service.")
    result = models.JSONField(null=True)
    digest = models.CharField(max_length=_DIGITS, blank=True)
    sent = models.JSONField(
        null=True, help_text="What an API client sent. Recognizes a repetition with other fields."
    )
    verifies = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, help_text="It only repeats this one."
    )

    class Meta:
        default_permissions = ("view",)
        permissions = (("run_backtest", "Can run and cancel backtests"),)
        ordering = ("-created_at", "-id")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=_choice("state", State.values), name="backtests_backtest_state"
            ),
            models.CheckConstraint(
                condition=_choice("mode", [each.value for each in Mode]),
                name="backtests_backtest_mode",
            ),
            models.CheckConstraint(
                condition=models.Q(since__gte=0, since__lte=models.F("upto")),
                name="backtests_backtest_range",
            ),
            models.CheckConstraint(
                condition=models.Q(sample_ppm__range=(1, WHOLE), seed__gte=0),
                name="backtests_backtest_sample",
            ),
            models.CheckConstraint(
                condition=models.Q(baseline_id="", baseline__isnull=True)
                | (~models.Q(baseline_id="") & models.Q(baseline__isnull=False)),
                name="backtests_backtest_baseline",
            ),
            # A backtest has a result exactly if it is done, and an error exactly if it failed.
            models.CheckConstraint(
                condition=models.Q(state=State.DONE.value, result__isnull=False)
                & ~models.Q(digest="")
                | ~models.Q(state=State.DONE.value) & models.Q(result__isnull=True, digest=""),
                name="backtests_backtest_answer",
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.FAILED.value) & ~models.Q(error="")
                | ~models.Q(state=State.FAILED.value) & models.Q(error=""),
                name="backtests_backtest_error",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[each.value for each in UNFINISHED], finished_at__isnull=True
                )
                | ~models.Q(state__in=[each.value for each in UNFINISHED])
                & models.Q(finished_at__isnull=False, active_until__isnull=True),
                name="backtests_backtest_finished",
            ),
        )
        indexes = (
            models.Index(fields=("-created_at", "-id"), name="backtest_by_time"),
            models.Index(fields=("candidate_id", "-created_at"), name="backtest_by_candidate"),
            models.Index(
                fields=("created_at", "id"),
                name="backtest_unfinished",
                condition=models.Q(state__in=[each.value for each in UNFINISHED]),
            ),
        )

    def __str__(self) -> str:
        return f"{str(self.pk)[:8]} of policy {self.candidate_id[:12]}"

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    def is_active(self, at: datetime) -> bool:
        """Return whether a worker is working on it or a process is waiting for its turn."""
        return self.active_until is not None and at < self.active_until

    def is_worked_on(self, at: datetime) -> bool:
        return self.state == State.RUNNING and self.is_active(at)


class BacktestPart(models.Model):
    """A part of a backtest, which at most one worker does at a time.

    `first` and `last` are inclusive. In the phase READ they are log positions. In the phase FOLD
    both are the number of a slice.
    """

    backtest = models.ForeignKey(
        Backtest, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    number = models.IntegerField()
    phase = models.SmallIntegerField(choices=Phase.choices)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    state = models.CharField(max_length=7, choices=PartState.choices, default=PartState.WAITING)
    lease = models.UUIDField(null=True, help_text="The worker's token.")
    leased_until = models.DateTimeField(null=True)
    tally = models.JSONField(null=True)
    facts = models.IntegerField(null=True, help_text="Written by READ, read by FOLD.")

    class Meta:
        default_permissions = ()
        ordering = ("backtest", "number")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            # Its index finds the parts of a backtest.
            models.UniqueConstraint(fields=("backtest", "number"), name="backtests_part_number"),
            models.CheckConstraint(
                condition=models.Q(phase__in=Phase.values, first__gte=0)
                & models.Q(last__gte=models.F("first")),
                name="backtests_part_range",
            ),
            models.CheckConstraint(
                condition=_choice("state", PartState.values), name="backtests_part_state"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state=PartState.RUNNING.value, lease__isnull=False, leased_until__isnull=False
                )
                | ~models.Q(state=PartState.RUNNING.value)
                & models.Q(lease__isnull=True, leased_until__isnull=True),
                name="backtests_part_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state=PartState.DONE.value, tally__isnull=False, facts__isnull=False
                )
                | ~models.Q(state=PartState.DONE.value)
                & models.Q(tally__isnull=True, facts__isnull=True),
                name="backtests_part_tally",
            ),
        )

    def __str__(self) -> str:
        return f"Part {self.number}"


class Fact(models.Model):
    """What a READ part keeps from the log for the customers' histories.

    The migration makes the table unlogged, so a crash of the database server empties it.
    `BacktestPart.facts` then reveals the loss. `body` holds a change and a case: see the module
    facts.
    """

    pk = models.CompositePrimaryKey("backtest_id", "slice", "customer_id", "position")
    # Checking a constraint for each row takes longer than storing it.
    backtest = models.ForeignKey(
        Backtest, on_delete=models.DO_NOTHING, db_index=False, db_constraint=False
    )
    slice = models.IntegerField()
    customer_id = models.UUIDField()
    position = models.BigIntegerField()
    body = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.position)


class Shadow(models.Model):
    """A proposed policy that is evaluated on new payments. See payments.domain.backtest.shadow.

    Its days count the payments that were scored after the log position `since`, up to `position`.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    candidate_id = models.CharField(max_length=_DIGITS, help_text="The id of the policy.")
    candidate = models.JSONField(help_text="The document of the policy.")
    since = models.BigIntegerField(help_text="A safe position of the log.")
    position = models.BigIntegerField()
    engine = models.IntegerField(help_text="The version of the engine that counted the days.")
    state = models.CharField(max_length=9, choices=ShadowState.choices, default=ShadowState.RUNNING)
    slot = models.SmallIntegerField(
        null=True, unique=True, help_text="One of three while it runs, so no more can run."
    )
    started_by = models.CharField(max_length=100, help_text="An actor id.")
    started_at = models.DateTimeField()
    until = models.DateTimeField(help_text="Payments are observed until then.")
    ended_at = models.DateTimeField(null=True)
    stopped_by = models.CharField(max_length=100, blank=True, help_text="An actor id.")
    observed_at = models.DateTimeField(null=True, help_text="When it last had no more to read.")
    next_at = models.DateTimeField(help_text="When a worker may read on.")
    error = models.CharField(max_length=500, blank=True, help_text="Why it is stalled.")

    class Meta:
        default_permissions = ()
        ordering = ("-started_at", "-id")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(
                condition=_choice("state", ShadowState.values), name="backtests_shadow_state"
            ),
            models.CheckConstraint(
                condition=models.Q(since__gte=0, since__lte=models.F("position")),
                name="backtests_shadow_range",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state=ShadowState.RUNNING.value, slot__in=SLOTS, ended_at__isnull=True
                )
                & models.Q(slot__isnull=False)
                | ~models.Q(state=ShadowState.RUNNING.value)
                & models.Q(slot__isnull=True, ended_at__isnull=False, error=""),
                name="backtests_shadow_slot",
            ),
            models.CheckConstraint(
                condition=models.Q(state=ShadowState.STOPPED.value) & ~models.Q(stopped_by="")
                | ~models.Q(state=ShadowState.STOPPED.value) & models.Q(stopped_by=""),
                name="backtests_shadow_stopped",
            ),
            models.UniqueConstraint(
                fields=("candidate_id",),
                condition=models.Q(state=ShadowState.RUNNING.value),
                name="backtests_shadow_candidate",
            ),
        )
        indexes = (
            models.Index(fields=("-started_at", "-id"), name="shadow_by_time"),
            models.Index(fields=("candidate_id", "-started_at"), name="shadow_by_candidate"),
        )

    def __str__(self) -> str:
        return f"{str(self.pk)[:8]} of policy {self.candidate_id[:12]}"

    @property
    def is_running(self) -> bool:
        return self.state == ShadowState.RUNNING


class ShadowDay(models.Model):
    """What a shadow counted on a day in UTC: a Tally of payments.domain.backtest."""

    shadow = models.ForeignKey(
        Shadow, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    day = models.DateField()
    tally = models.JSONField()

    class Meta:
        default_permissions = ()
        ordering = ("shadow", "day")
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            # Its index finds the days of a shadow.
            models.UniqueConstraint(fields=("shadow", "day"), name="backtests_day"),
        )

    def __str__(self) -> str:
        return self.day.isoformat()
