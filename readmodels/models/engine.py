"""State of the projection engine: checkpoints and parked events.

A rebuild writes these rows anew, together with the projection's own table. Deleting them by hand
loses nothing, provided that `manage.py rebuild_projections` runs afterwards.
"""

from django.db import models


class Checkpoint(models.Model):
    """How far a projection has read the log.

    Its row lock is what makes each batch count exactly once.
    """

    name = models.CharField(primary_key=True, max_length=50)
    version = models.IntegerField(help_text="Of the projection's code that filled the tables.")
    position = models.BigIntegerField(default=0, help_text="Of the last event read.")
    updated_at = models.DateTimeField(auto_now=True)
    error = models.TextField(blank=True, help_text="Why the projection stands still, if it does.")
    work = models.JSONField(
        default=dict, db_default={}, help_text="See readmodels.engine.metering."
    )

    class Meta:
        default_permissions = ("view",)
        verbose_name = "projection"

    def __str__(self) -> str:
        return self.name


class ParkedEvent(models.Model):
    """An event that a projection could not take, or that comes after such a one of its aggregate."""

    projection = models.CharField(max_length=50)
    aggregate_id = models.UUIDField(verbose_name="payment")
    position = models.BigIntegerField()
    version = models.IntegerField()
    event_type = models.CharField(max_length=100)
    error = models.TextField(help_text="Empty: it waits for an earlier event of its payment.")
    traceback = models.TextField()
    attempts = models.IntegerField()
    parked_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        permissions = (("repair_projections", "Can retry and discard parked events"),)
        ordering = ("-position", "projection")
        constraints = (
            models.UniqueConstraint(
                fields=("projection", "aggregate_id", "position"), name="parked_event_once"
            ),
        )
        indexes = (models.Index(fields=("-position", "projection"), name="parked_by_position"),)

    def __str__(self) -> str:
        return f"{self.projection} {self.position}"
