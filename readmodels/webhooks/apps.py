"""The Django app "webhooks"."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "readmodels.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"
