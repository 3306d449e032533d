"""The projection that shows who saw customers' personal data."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from payments.domain.reveal import PersonalField, Purpose


class PersonalAccess(models.Model):
    """A reveal of a customer's personal data to a member of staff."""

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField()
    by = models.CharField(max_length=100, help_text="The actor who saw the data.")
    customer_id = models.UUIDField()
    fields = ArrayField(
        models.CharField(
            max_length=20, choices=[(each.value, each.value) for each in PersonalField]
        )
    )
    purpose = models.CharField(
        max_length=50,
        choices=[(each.value, each.value.replace("_", " ").capitalize()) for each in Purpose],
    )
    note_id = models.UUIDField(null=True)
    position = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "access to personal data"
        verbose_name_plural = "accesses to personal data"
        indexes = (
            # For the list, and its filters by person and by customer. Each index is in the order of
            # the list.
            models.Index(fields=("-at", "-id"), name="personal_access_by_time"),
            models.Index(fields=("by", "-at", "-id"), name="personal_access_by_person"),
            models.Index(fields=("customer_id", "-at", "-id"), name="personal_access_by_customer"),
        )

    def __str__(self) -> str:
        return f"Access {self.id}"
