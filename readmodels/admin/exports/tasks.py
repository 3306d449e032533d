"""The Celery tasks for exports. The database holds the work, so tasks may be lost or repeated."""

from celery import shared_task

from payments import outages
from readmodels.admin.exports import making


@shared_task(name="exports.work")
def work() -> None:
    """Make the file of one waiting export. Beat sends this task every few seconds."""
    with outages.reported():
        making.work()


@shared_task(name="exports.sweep")
def sweep() -> None:
    """Delete expired files. Beat sends this task regularly."""
    with outages.reported():
        making.sweep()
