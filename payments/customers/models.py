"""Customers as their clients know them, who blocked them and why, and the notes of reviewers."""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from django.db import models


class Customer(models.Model):
    """A client's customer. `id` is the keyed hash of (client, reference) that events carry.

    An erased one keeps its row without anything personal: a later payment under the same reference
    finds it by the hash, and stores nothing again.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    # No index of its own: the constraint's begins with it.
    client = models.ForeignKey(
        "clients.Client", on_delete=models.PROTECT, editable=False, db_index=False
    )
    reference = models.CharField(  # noqa: DJ001 - erased ones of one client must not be alike
        max_length=255, null=True, editable=False, help_text="The client's own id. None: erased."
    )
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=20, blank=True, default="", db_default="")
    # Asked with the risk features of every payment; why and by whom is in Blocking.
    blocked = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)
    erased_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    erasure_reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    # What people type, by column: an erasure of somebody else looks there, see texts.
    free_texts: ClassVar[Mapping[str, str]] = {"erasure_reason": "reasons of other erasures"}

    class Meta:
        default_permissions = ("view", "change")
        permissions = (
            ("block_customer", "Can block and unblock customers"),
            ("erase_customer", "Can erase customers"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("client", "reference"), name="customers_customer_reference"
            ),
        )
        indexes = (
            # Staff search by the beginning of a name; customers without one cost nothing here.
            models.Index(
                fields=("name",),
                name="customer_by_name",
                opclasses=("text_pattern_ops",),
                condition=~models.Q(name=""),
            ),
            # The list of the back office, and the blocked ones in the same order.
            models.Index(fields=("-created_at", "-id"), name="customer_by_time"),
            models.Index(
                fields=("-created_at", "-id"),
                name="customer_blocked_by_time",
                condition=models.Q(blocked=True),
            ),
        )

    def __str__(self) -> str:
        return self.name or self.reference or "erased"


class Blocking(models.Model):
    """A decision that a customer is blocked, or is not any more. The log holds it as an event."""

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="blockings", db_index=False
    )
    blocked = models.BooleanField()
    reason = models.CharField(max_length=50)  # a BlockReason or an UnblockReason
    note_id = models.UUIDField(null=True)  # a Note, unless it was erased
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("customer", "-at", "-id"), name="blocking_by_customer"),)

    def __str__(self) -> str:
        return "blocked" if self.blocked else "unblocked"


class Note(models.Model):
    """A note that staff wrote about a payment, or about a customer whom they blocked or unblocked.

    The log holds `id` and `digest` only, so the text can be erased.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    payment_id = models.UUIDField(null=True, db_index=True)  # None: about a customer
    author = models.CharField(max_length=100)
    salt = models.BinaryField()
    text = models.TextField()
    written_at = models.DateTimeField()

    free_texts: ClassVar[Mapping[str, str]] = {"text": "other review notes"}

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.text[:50]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of salt and text: proves the text without revealing it."""
        return sha256(bytes(self.salt) + self.text.encode()).hexdigest()


class PseudonymKey(models.Model):
    """A check value, by which a process with another PSEUDONYM_KEY is refused: see payments.pseudonyms."""

    key_id = models.SmallIntegerField(primary_key=True)
    check_value = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.key_id)
