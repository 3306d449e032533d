"""The Django app "backtests"."""

from django.apps import AppConfig


class BacktestsConfig(AppConfig):
    name = "readmodels.backtests"
    label = "backtests"
    verbose_name = "Backtests"
