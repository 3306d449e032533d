"""A payment as one row: no events, no idempotency, no history."""

from typing import ClassVar
from uuid import uuid4

from django.db import models


class RowPayment(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=20)
    customer_id = models.CharField(max_length=255)
    status = models.CharField(max_length=20, default="completed", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager["RowPayment"]] = models.Manager()

    def __str__(self) -> str:
        return str(self.id)
