"""Registers the customers as the Django app "customers"."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CustomersConfig(AppConfig):
    name = "payments.customers"
    label = "customers"
    verbose_name = "Customers"

    def ready(self) -> None:
        post_migrate.connect(_require_key, sender=self)


def _require_key(**_: Any) -> None:
    """Store the check value of the key, or refuse another key."""
    # Imported late: the apps are not loaded when this module is.
    from payments import pseudonyms

    pseudonyms.require_key()
