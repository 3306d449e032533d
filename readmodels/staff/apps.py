"""The Django app "staff"."""

from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "readmodels.staff"
    label = "staff"
    verbose_name = "Staff"
