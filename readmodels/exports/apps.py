"""The Django app "exports"."""

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "readmodels.exports"
    label = "exports"
    verbose_name = "Exports"
