"""Registers the log as the Django app "events"."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "payments.events"
    label = "events"
    verbose_name = "Event log"
