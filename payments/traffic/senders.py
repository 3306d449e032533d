"""Submit simulated payments, directly or over HTTP."""

import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import Error, close_old_connections

from payments import actors
from payments.application import submission
from payments.application.dispatch import CommandContext
from payments.traffic.simulation import Attempt

_TIMEOUT_SECONDS: Final = 10

# Sends an attempt; returns the payment's status or a short description of the error.
Send = Callable[[Attempt], str]


def directly(client_id: UUID) -> Send:
    def send(attempt: Attempt) -> str:
        try:
            return submit(attempt)
        except Error as error:
            close_old_connections()  # the next attempt connects again
            return f"no answer ({type(error).__name__})"

    def submit(attempt: Attempt) -> str:
        outcome = submission.submit(
            client_id=client_id,
            customer_reference=attempt.customer_reference,
            amount=attempt.amount,
            method=attempt.method,
            reference=attempt.reference,
            card=attempt.card,
            at=datetime.now(UTC),
            key=attempt.key,
            context=CommandContext(actor=actors.client(client_id), key=attempt.key),
        )
        return "replayed" if outcome.replayed else outcome.payment.status.value

    return send


def over_http(url: str, key: str) -> Send:
    """Return a sender for the service at `url`, such as http://127.0.0.1:8000. `key` is an API key."""

    def send(attempt: Attempt) -> str:
        body = {
            "amount": attempt.amount.minor,
            "currency": attempt.amount.currency,
            "method": attempt.method,
            "customer_id": attempt.customer_reference,
            "reference": attempt.reference,
            "card": attempt.card,
        }
        request = urllib.request.Request(  # noqa: S310 - the command has checked the scheme
            f"{url.rstrip('/')}/api/v1/payments",
            msgspec.json.encode(body),
            {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Idempotency-Key": attempt.key,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                if answer.headers.get("Idempotency-Replayed"):
                    return "replayed"
                return str(msgspec.json.decode(answer.read())["status"])
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except OSError as error:
            return f"no answer ({getattr(error, 'reason', error)})"

    return send
