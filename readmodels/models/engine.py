"""State of the projection engine: checkpoints and parked events.

A rebuild rewrites these rows together with the projection's own table. Deleting them by hand
loses nothing, provided that `manage.py rebuild_projections` runs afterwards.
"""

from django.db import models


class Checkpoint(models.Model):
    """A projection's position in the log. The lock on its row makes each batch count exactly once."""

    name = models.CharField(primary_key=True, max_length=50)
    version = models.IntegerField(help_text="Version of the code that filled the table.")
    position = models.BigIntegerField(default=0, help_text="Position of the last event read.")
    updated_at = models.DateTimeField(auto_now=True)
    error = models.TextField(
        blank=True, help_text="Why the projection is stalled. Empty if it is not."
    )
    work = models.JSONField(
        default=dict, db_default={}, help_text="See readmodels.engine.metering."
    )

    class Meta:
        default_permissions = ("view",)
        verbose_name = "projection"

    def __str__(self) -> str:
        return self.name


class ParkedEvent(models.Model):
    """An event that a projection could not apply, or that follows such an event of its aggregate."""

    projection = models.CharField(max_length=50)
    aggregate_id = models.UUIDField(verbose_name="payment")
    position = models.BigIntegerField()
    version = models.IntegerField()
    event_type = models.CharField(max_length=100)
    error = models.TextField(help_text="Empty if it waits for an earlier event of its payment.")
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
