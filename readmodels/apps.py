"""Connect the read models to the write side's ports, to each append and to each run of migrate."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReadModelsConfig(AppConfig):
    name = "readmodels"
    verbose_name = "Payments"

    def ready(self) -> None:
        from payments.application import ports
        from payments.events.signals import appended
        from readmodels import roles
        from readmodels.engine import wakeups
        from readmodels.queries.ports import PORTS

        roles.check_required()
        ports.connect(PORTS)
        appended.connect(wakeups.wake_all, dispatch_uid="readmodels.wake")
        # Runs once per migrate. This app is the last one, so the permissions of all apps exist by
        # then.
        post_migrate.connect(_apply_roles, sender=self)


def _apply_roles(*, using: str, apps: Any, **_: Any) -> None:
    from readmodels import roles

    roles.apply(using=using, apps=apps)
