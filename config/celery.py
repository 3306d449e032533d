"""The Celery application, and how often beat publishes its tasks."""

import os
import sys
from typing import Final

from celery import Celery
from celery.signals import beat_init, setup_logging, task_postrun, worker_init
from django.db import close_old_connections
from django_structlog.celery.steps import DjangoStructLogInitStep

from config import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app: Final = Celery("payments")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()
# These are not Django apps, so Celery does not search them by itself.
app.autodiscover_tasks(["payments.application", "readmodels.admin.exports"])
# Webhooks have their own queue, so that slow endpoints do not delay projections.
app.conf.task_routes = {"webhooks.*": {"queue": "webhooks"}}
# Times are in seconds. Tasks expire so that they do not pile up while no worker runs.
app.conf.beat_schedule = {
    "project": {
        "task": "readmodels.project_all",
        "schedule": 2.0,
        "options": {"expires": 2.0},
    },
    "expire": {
        "task": "payments.expire_reviews",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "second_reviews": {
        "task": "payments.request_second_reviews",
        "schedule": 600.0,
        "options": {"expires": 600.0},
    },
    "deadlines": {
        "task": "readmodels.report_deadlines",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    "seal": {"task": "events.seal", "schedule": 60.0, "options": {"expires": 60.0}},
    "deliver": {
        "task": "webhooks.deliver_due",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "prune": {"task": "webhooks.prune", "schedule": 60.0, "options": {"expires": 60.0}},
    "backtest": {"task": "backtests.work", "schedule": 2.0, "options": {"expires": 2.0}},
    "export": {"task": "exports.work", "schedule": 2.0, "options": {"expires": 2.0}},
    "sweep_exports": {
        "task": "exports.sweep",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "observe": {"task": "backtests.observe", "schedule": 5.0, "options": {"expires": 5.0}},
    "rebuild": {"task": "readmodels.rebuild", "schedule": 2.0, "options": {"expires": 2.0}},
    "sweep": {"task": "backtests.sweep", "schedule": 60.0, "options": {"expires": 60.0}},
}

broker.install()


@task_postrun.connect
def _close_lost_connections(**_: object) -> None:
    """Close unusable connections, which Celery would keep for further tasks."""
    close_old_connections()


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Keep Django's logging. Celery leaves the handlers alone if this signal has a receiver."""


@beat_init.connect
@worker_init.connect
def _require_pseudonym_key(**_: object) -> None:
    """Refuse to start if PSEUDONYM_KEY is not the database's key."""
    from payments import pseudonyms

    try:
        pseudonyms.require_key_at_start()
    except pseudonyms.WrongPseudonymKey as error:
        sys.exit(f"error: {error}")
