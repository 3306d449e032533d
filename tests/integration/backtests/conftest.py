"""Parts so small that a test needs few payments."""

import pytest
from django.db import connection

from readmodels.backtests import questions


@pytest.fixture
def small_parts(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part have seven positions, and the empty log begin with the first one."""
    monkeypatch.setattr(questions, "PART", 7)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('events_event_position_seq', 1, false)")
