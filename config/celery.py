"""The Celery application: it runs the projections, seals the log and ends reviews."""

import os
from typing import Any, Final

import redis
from celery import Celery
from celery.signals import setup_logging, task_postrun
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.transport import redis as transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app: Final = Celery("payments")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()
app.autodiscover_tasks(["payments"])  # a package of several apps, not one itself


class _QoS(transport.QoS):
    """Logs at shutdown how many messages go back to the queue; kombu prints it, though nothing is wrong."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        super().restore_unacked_once()


class _Channel(transport.Channel):
    """Says of a connection that was lost that it is, where kombu 5.7 fails to find its host.

    Celery survives the one: a worker that met the other, with a task that it had not acknowledged yet when
    the broker died, ended.
    """

    QoS = _QoS

    def _connparams(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        if getattr(self.connection, "client", None) is None:
            raise redis.ConnectionError("The connection to the broker is closed.")
        parameters: dict[str, Any] = super()._connparams(*arguments, **options)  # type: ignore[misc]
        return parameters


transport.Transport.Channel = _Channel


@task_postrun.connect
def _let_lost_connections_go(**_: object) -> None:
    """Celery keeps a worker's connections for many tasks, those too that the server has ended."""
    close_old_connections()


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery would replace the root logger's handlers; Django has configured them already."""
