"""Card numbers are removed from the log lines of every source."""

import pytest

from config.http.redaction import REDACTED, card_numbers

NUMBER = "4111111111111111"


@pytest.mark.parametrize(
    "value",
    [
        f"GET /api/v1/customers/{NUMBER}/payments",
        "GET /api/v1/customers/4111%201111%201111%201111/payments",
        "GET /admin/customers/customer/?q=4111+1111+1111+1111",
        f"Traceback (most recent call last):\n  ValueError: {NUMBER}",
    ],
)
def test_value_with_card_number_is_redacted(value: str) -> None:
    entry = {"event": "request_failed", "request": value, "code": 400}
    assert card_numbers(None, "warning", entry) == entry | {"request": REDACTED}


def test_other_values_are_kept() -> None:
    entry = {
        "event": "request_finished",
        "timestamp": "2026-11-24T18:47:01.123456Z",
        "request": "GET /api/v1/payments?from=2026-11-24&limit=100",
        "position": int(NUMBER),
        "at": "%",
    }
    assert card_numbers(None, "info", dict(entry)) == entry
