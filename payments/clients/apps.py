"""The Django app "clients"."""

from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "payments.clients"
    label = "clients"
    verbose_name = "API clients"
