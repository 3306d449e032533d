"""Notes on payments, as a browser adds them."""

from typing import Any
from uuid import uuid4

from django.test import Client as Browser

from tests.support.reviewing import at


def add(logged_in: Browser, payment: str, note: str, **more: Any) -> Any:
    """Send the form of a new note. Return the page that follows."""
    sent = {"key": str(uuid4()), "note": note, **more}
    return logged_in.post(at(payment, "note"), sent, follow=True)
