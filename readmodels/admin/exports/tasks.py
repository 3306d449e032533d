"""The Celery tasks of exports. They may be lost, late or doubled: what is to do is in the database."""

from celery import shared_task

from payments import outages
from readmodels.admin.exports import making


@shared_task(name="exports.work")
def work() -> None:
    """Make one file that people wait for. Beat sends this task every few seconds."""
    with outages.reported():
        making.work()


@shared_task(name="exports.sweep")
def sweep() -> None:
    """Delete expired files. Beat sends this task."""
    with outages.reported():
        making.sweep()
