"""Tables of lists, written in the transaction of each event.

The next payment must see the change, so a projection would be too late. Both tables are derived
from the log: `refilling` checks and fills them. Positions are those of the list's events.
"""

from django.db import models

from payments.domain.list_items import Item, split


class RiskList(models.Model):
    """A list after its event at `position`. Its id is derived from its name."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(max_length=50, unique=True)
    item = models.CharField(max_length=20, choices=[(each.value, each.value) for each in Item])
    comment_id = models.UUIDField()  # a customers.Note
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    version = models.IntegerField()
    position = models.BigIntegerField()
    entries = models.IntegerField(default=0, db_default=0)  # including expired ones
    archived_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    archived_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Entry(models.Model):
    """An entry of a list, from the event that added it until the event that removed it.

    `to_position` is None if it was not removed. `key` is the type and the value, see
    `domain.list_items`.
    """

    from_position = models.BigIntegerField(primary_key=True)
    to_position = models.BigIntegerField(null=True)
    # This column needs no index of its own: two indexes below begin with it.
    list = models.ForeignKey(RiskList, on_delete=models.PROTECT, db_index=False)
    key = models.CharField(max_length=64, db_collation="C")
    expires_at = models.DateTimeField(null=True)
    added_by = models.CharField(max_length=100)
    added_at = models.DateTimeField()
    note_id = models.UUIDField()  # a customers.Note
    card_brand = models.CharField(max_length=20, blank=True, default="", db_default="")
    card_last4 = models.CharField(max_length=4, blank=True, default="", db_default="")
    payment_id = models.UUIDField(null=True)
    removed_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    removed_at = models.DateTimeField(null=True)
    removal_note_id = models.UUIDField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (
            # Its index also serves the lookup for each payment, which reads entries by key.
            models.UniqueConstraint(
                fields=("key", "list"),
                name="lists_entry_current",
                condition=models.Q(to_position=None),
            ),
            models.CheckConstraint(
                name="lists_entry_positions",
                condition=models.Q(to_position=None)
                | models.Q(to_position__gt=models.F("from_position")),
            ),
        )
        indexes = (
            models.Index(
                fields=("list", "-from_position"),
                name="lists_entry_newest",
                condition=models.Q(to_position=None),
            ),
            models.Index(fields=("list", "from_position"), name="lists_entry_history"),
            # Lookups for past payments also read entries that were removed later.
            models.Index(
                fields=("key", "to_position"),
                name="lists_entry_removed",
                condition=models.Q(to_position__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.key

    @property
    def value(self) -> str:
        return split(self.key)[1]
