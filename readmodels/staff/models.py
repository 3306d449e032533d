"""The record of staff accounts: who held which role when, and who changed it.

Triggers on the tables of accounts and roles write the record, so no change can bypass it. Other
triggers refuse changes of the record. See the migrations.
"""

from django.db import models


class Kind(models.TextChoices):
    """What changed. The triggers write these codes."""

    ADDED = "added", "Account added"
    DELETED = "deleted", "Unused account deleted"
    RENAMED = "renamed", "Username changed"
    NAMED = "named", "Name changed"
    ACTIVATED = "activated", "Activated"
    DEACTIVATED = "deactivated", "Deactivated"
    SIGN_IN = "sign_in", "Access to the back office changed"
    SUPERUSER = "superuser", "Superuser changed"
    PASSWORD = "password", "Password changed"
    REHASHED = "rehashed", "Same password stored with a stronger hash"
    ROLE_ADDED = "role_added", "Role given"
    ROLE_REMOVED = "role_removed", "Role taken"
    PERMISSION_ADDED = "permission_added", "Single permission given"
    PERMISSION_REMOVED = "permission_removed", "Single permission taken"


class StaffChange(models.Model):
    """A change of an account.

    `staff` is the account's id, without a foreign key, because the record outlives the account.
    `by` is the actor whom the use case named. For other changes, such as those by a command, it is
    `database:` and the database role.
    """

    staff = models.IntegerField()
    username = models.CharField(max_length=150, help_text="After the change.")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    before = models.CharField(max_length=310, blank=True)
    after = models.CharField(max_length=310, blank=True)
    by = models.CharField(max_length=100, help_text="An actor id.")
    at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        ordering = ("-at", "-id")
        verbose_name = "staff change"
        indexes = (
            models.Index(fields=("-at", "-id"), name="staff_change_by_time"),
            models.Index(fields=("staff", "-at", "-id"), name="staff_change_by_person"),
            models.Index(fields=("by",), name="staff_change_by_actor"),
        )

    def __str__(self) -> str:
        return f"{self.username}: {self.get_kind_display()}"
