"""System checks of the log: `./manage.py check` finds what would be seen only when it is read."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from payments.domain.payment import upcasts
from payments.domain.payment.events import EVENT_CLASSES


@register
def check_upcasts(**_: Any) -> list[CheckMessage]:
    """Every event that older code may have stored can be read, and no upcast leads nowhere."""
    return [
        *(
            Error(
                f"{event_type} with schema version {version} may be stored and cannot be read.",
                hint="Add its upcast to UPCASTS in payments/domain/payment/upcasts.py.",
                id="events.E001",
            )
            for event_type, version in upcasts.unreadable(EVENT_CLASSES)
        ),
        *(
            Error(
                f"There is an upcast for {event_type} with schema version {version},"
                " which no event follows.",
                hint="Give the event its next schema_version in payments/domain/payment/events.py.",
                id="events.E002",
            )
            for event_type, version in upcasts.needless(EVENT_CLASSES)
        ),
    ]
