"""Payments that wait for review, and commands of reviewers over HTTP."""

from typing import Any, Final
from uuid import uuid4

from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project

NEXT: Final = "/api/v1/reviews/claim-next"


ESCALATION: Final = {"reason": "second_opinion", "note": "The address is new."}


def waiting(client: ApiClient, count: int = 1, **changes: Any) -> list[str]:
    """Return payments in the review queue, the oldest first."""
    found = []
    for _ in range(count):
        each = {"customer_id": str(uuid4()), "reference": str(uuid4())}
        found.append(str(body_of(client.submit(**RISKY | each | changes))["id"]))
    project()
    return found


def command(client: ApiClient, payment: str, name: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"{PAYMENTS}/{payment}/{name}", body or {}, **headers)


def actor(client: ApiClient) -> str:
    return f"staff:{client.staff_id}"
