"""The Celery application: it runs the projections, seals the log and ends reviews."""

import os
from typing import Final

from celery import Celery
from celery.signals import setup_logging
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app: Final = Celery("payments")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()
app.autodiscover_tasks(["payments"])  # a package of several apps, not one itself


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery would replace the root logger's handlers; Django has configured them already."""
