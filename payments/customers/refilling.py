"""Compute the words of all customers again, after their version has changed."""

from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from payments.customers import words

_BATCH: Final = 1_000


def refill(model: Any) -> int:
    """Fill the words of all customers of the model, batch by batch. Return their number.

    A migration passes its own version of the model. Each batch commits, so that no lock lasts long.
    """
    known = model.objects.exclude(Q(name="") & Q(email="") & Q(phone="")).order_by("pk")
    filled, after = 0, None
    while True:
        following = known if after is None else known.filter(pk__gt=after)
        with transaction.atomic():
            batch = list(following.select_for_update()[:_BATCH])
            if not batch:
                return filled
            for customer in batch:
                customer.words = words.vector(
                    name=customer.name, email=customer.email, phone=customer.phone
                )
            model.objects.bulk_update(batch, ["words"])
        filled, after = filled + len(batch), batch[-1].pk
