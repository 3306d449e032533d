"""The Django app "lists"."""

from django.apps import AppConfig


class ListsConfig(AppConfig):
    name = "payments.lists"
    label = "lists"
    verbose_name = "Lists"
