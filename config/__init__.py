"""Settings, URLs and processes of the service. README.md in this folder explains how to operate it."""

from config.celery import app as celery_app

__all__ = ("celery_app",)
