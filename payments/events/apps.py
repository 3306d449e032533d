"""The Django app "events"."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "payments.events"
    label = "events"
    verbose_name = "Event log"

    def ready(self) -> None:
        from payments.events import checks  # noqa: F401 - importing registers them
