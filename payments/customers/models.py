"""Tables of customers, blocks, and notes by staff. Admin classes: readmodels/admin/people/."""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Collate, Lower

from payments.domain.files import ENDS, LONGEST_NAME, MediaType


class Customer(models.Model):
    """A client's customer. `id` is the keyed hash of (client, reference) that events carry.

    Erasing a customer keeps the row without personal data. A later payment under the same reference
    finds the row by the hash and stores no personal data again.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    # This column needs no index of its own: the index of the constraint begins with it.
    client = models.ForeignKey(
        "clients.Client", on_delete=models.PROTECT, editable=False, db_index=False
    )
    reference = models.CharField(  # noqa: DJ001 - several erased customers of one client
        max_length=255, null=True, editable=False, help_text="The client's own id. None: erased."
    )
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=20, blank=True, default="", db_default="")
    # Staff find the customer by these words, see payments.customers.words. They are personal data,
    # like the fields above. None if nothing is known.
    words = SearchVectorField(null=True, editable=False)
    # This flag is read with the risk features of every payment. `Blocking` has the reason and the
    # actor.
    blocked = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)
    erased_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    erasure_reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    # Columns of typed text, which are searched when another customer is erased. See free_texts.
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
            models.CheckConstraint(
                condition=models.Q(erased_at__isnull=True) | models.Q(words__isnull=True),
                name="customer_erased_without_words",
            ),
        )
        indexes = (
            # New customers have no words, so a payment writes nothing to this index. Without
            # `fastupdate`, no search has to read a list of pending entries.
            GinIndex(
                fields=("words",),
                name="customer_by_word",
                fastupdate=False,
                condition=models.Q(words__isnull=False),
            ),
            # Staff search by the beginning of a reference, case-insensitively.
            models.Index(
                Collate(Lower("reference"), "C"),
                name="customer_by_reference",
                condition=models.Q(reference__isnull=False),
            ),
            # The back office lists all customers, or only the blocked ones, newest first.
            models.Index(fields=("-created_at", "-id"), name="customer_by_time"),
            models.Index(
                fields=("-created_at", "-id"),
                name="customer_blocked_by_time",
                condition=models.Q(blocked=True),
            ),
        )

    def __str__(self) -> str:
        # No personal data, because this text reaches titles, logs and messages.
        return f"customer {self.pk}"


class Blocking(models.Model):
    """A decision to block or unblock a customer. The log has it as an event."""

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="blockings", db_index=False
    )
    blocked = models.BooleanField()
    reason = models.CharField(max_length=50)  # a BlockReason or an UnblockReason
    note_id = models.UUIDField(null=True)  # a Note; None after it was erased
    actor = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("customer", "-at", "-id"), name="blocking_by_customer"),)

    def __str__(self) -> str:
        return "blocked" if self.blocked else "unblocked"


class Note(models.Model):
    """A note by staff about a payment, a list, or the block, unblock or reveal of a customer.

    The log contains only `id` and `digest`, so the text can be erased.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    payment_id = models.UUIDField(null=True, db_index=True)  # None: not about a payment
    customer_id = models.UUIDField(null=True)  # only for notes about a reveal of the customer
    author = models.CharField(max_length=100)
    salt = models.BinaryField()
    text = models.TextField()
    written_at = models.DateTimeField()

    free_texts: ClassVar[Mapping[str, str]] = {"text": "other review notes"}

    class Meta:
        default_permissions = ("view",)
        indexes = (
            models.Index(
                fields=("customer_id",),
                name="note_by_customer",
                condition=models.Q(customer_id__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.text[:50]

    @property
    def digest(self) -> str:
        """Return the hexadecimal SHA-256 of salt and text."""
        return sha256(bytes(self.salt) + self.text.encode()).hexdigest()


class Attachment(models.Model):
    """A file attached to a note.

    The log contains only `id`, `digest`, size and type, so the rest can be erased.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    # The database deletes attachments with their note: see the migration.
    note = models.ForeignKey(Note, on_delete=models.DO_NOTHING, db_constraint=False)
    number = models.PositiveSmallIntegerField()  # from 1 within the note
    name = models.CharField(max_length=LONGEST_NAME, blank=True)  # empty: erased
    media_type = models.CharField(
        max_length=20, choices=[(each.value, each.value) for each in MediaType]
    )
    size = models.PositiveIntegerField()
    salt = models.BinaryField()
    content = models.BinaryField()

    free_texts: ClassVar[Mapping[str, str]] = {"name": "names of attachments"}

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("note", "number"), name="customers_attachment_number"),
            models.CheckConstraint(
                condition=models.Q(media_type__in=[each.value for each in MediaType]),
                name="customers_attachment_type",
            ),
        )

    def __str__(self) -> str:
        return self.name or f"file{ENDS[MediaType(self.media_type)][0]}"

    @property
    def digest(self) -> str:
        """Return the hexadecimal SHA-256 of salt and content."""
        return sha256(bytes(self.salt) + bytes(self.content)).hexdigest()


class StaffMention(models.Model):
    """A mention of a member of staff in a note. It is unread until the person opens it."""

    # The database deletes mentions with their note: see the migration.
    note = models.ForeignKey(Note, on_delete=models.DO_NOTHING, db_constraint=False)
    payment_id = models.UUIDField()
    actor = models.CharField(max_length=100)  # the person who is mentioned
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("actor", "note"), name="customers_one_mention_per_note"
            ),
        )
        indexes = (
            models.Index(fields=("actor", "-at", "-id"), name="mention_by_actor"),
            models.Index(
                fields=("actor",), name="mention_unread", condition=models.Q(read_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"{self.actor} in {self.note_id}"


class PseudonymKey(models.Model):
    """A check value that reveals a wrong PSEUDONYM_KEY, see payments.pseudonyms."""

    key_id = models.SmallIntegerField(primary_key=True)
    check_value = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.key_id)
