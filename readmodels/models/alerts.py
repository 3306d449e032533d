"""Deadline levels that were reported. Nothing can rebuild them: no event records a report."""

from django.db import models


class ReachedLevel(models.Model):
    """A deadline level that the review of a payment has reached, reported once."""

    pk = models.CompositePrimaryKey("payment_id", "level")
    payment_id = models.UUIDField()
    level = models.SmallIntegerField(help_text="Share of the time for the review, in percent.")
    at = models.DateTimeField(help_text="When it was reported.")

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("-at", "payment_id"), name="reached_level_by_time"),)

    def __str__(self) -> str:
        return f"{self.payment_id} {self.level} %"


class ReachedLevelCount(models.Model):
    """How many times a level was reported. It outlives the rows that it counts."""

    level = models.SmallIntegerField(primary_key=True)
    reached = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.level} %: {self.reached}"
