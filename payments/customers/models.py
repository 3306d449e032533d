"""Customers as their clients know them, and the notes that reviewers write."""

from hashlib import sha256

from django.db import models


class Customer(models.Model):
    """A client's customer. `id` is the keyed hash of (client, reference) that events carry."""

    id = models.UUIDField(primary_key=True, editable=False)
    # No index of its own: the constraint's begins with it.
    client = models.ForeignKey(
        "clients.Client", on_delete=models.PROTECT, editable=False, db_index=False
    )
    reference = models.CharField(max_length=255, editable=False, help_text="The client's own id.")
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view", "change")
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
        )

    def __str__(self) -> str:
        return self.name or self.reference


class Note(models.Model):
    """What a reviewer wrote about a payment.

    The log holds `id` and `digest` only, so the text can be erased.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    payment_id = models.UUIDField(db_index=True)
    author = models.CharField(max_length=100)
    salt = models.BinaryField()
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.text[:50]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of salt and text: proves what was written without telling it."""
        return sha256(bytes(self.salt) + self.text.encode()).hexdigest()
