"""Registers the read models, and wakes their projections when the log grows."""

from typing import Any

from django.apps import AppConfig


class ReadModelsConfig(AppConfig):
    name = "readmodels"
    verbose_name = "Payments"

    def ready(self) -> None:
        from payments.events.signals import appended

        appended.connect(_wake, dispatch_uid="readmodels.wake")


def _wake(**_: Any) -> None:
    # Imported late: the apps are not loaded when this module is.
    from readmodels.engine import waking

    waking.wake_all()
