"""All decisions are chosen for a second review."""

from typing import Any

import pytest


@pytest.fixture
def all_chosen(settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT = 100
