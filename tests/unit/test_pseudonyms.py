"""Pseudonyms are permanent and distinct, and reveal nothing."""

from typing import Any
from uuid import UUID

import pytest

from payments.pseudonyms import KEY_ID, customer_id, keyed_digest
from tests.support.examples import CLIENT, OTHER_CLIENT


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.PSEUDONYM_KEY = "a key for tests"


def test_customer_id_never_changes() -> None:
    """If this value changed, every customer would get another id."""
    assert customer_id(CLIENT, "customer-123") == UUID("203c457f-d5a2-8b31-b473-990768564a07")


def test_keyed_digest_never_changes() -> None:
    """Stored idempotency keys depend on this HMAC-SHA256 of purpose and parts, joined by U+001F."""
    assert keyed_digest("purpose", "one", "two").hex() == (
        "b9c3b07da77d170bd9ecfd04378722719dd5b7ca47ef27ff21cc03f8b441c7c7"
    )


def test_key_id_is_one() -> None:
    assert KEY_ID == 1


def test_customer_id_differs_by_client() -> None:
    assert customer_id(CLIENT, "customer-123") != customer_id(OTHER_CLIENT, "customer-123")


def test_customer_id_differs_by_case_and_accents() -> None:
    references = ["a", "A", "ä", "a\u0308", "a ", " a", "aa"]
    assert len({customer_id(CLIENT, reference) for reference in references}) == len(references)


def test_customer_id_is_version_8_uuid() -> None:
    """RFC 9562 reserves version 8 for custom rules."""
    for number in range(100):
        made = customer_id(CLIENT, f"customer-{number}")
        assert made.version == 8
        assert made.variant == "specified in RFC 4122"


def test_customer_id_depends_on_key(settings: Any) -> None:
    before = customer_id(CLIENT, "customer-123")
    settings.PSEUDONYM_KEY = "another key"
    assert customer_id(CLIENT, "customer-123") != before


def test_keyed_digest_differs_by_purpose() -> None:
    assert keyed_digest("field", "a", "b") != keyed_digest("idempotency", "a", "b")
    assert keyed_digest("a", "b", "c") != keyed_digest("a", "bc")
    assert keyed_digest("ab", "c") != keyed_digest("a", "bc")
