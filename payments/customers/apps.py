"""The Django app "customers"."""

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
    """Store the check value of PSEUDONYM_KEY, or raise if the database has another one."""
    # Models cannot be imported before the apps are loaded.
    from payments import pseudonyms

    pseudonyms.require_key()
