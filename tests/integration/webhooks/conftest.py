"""A receiver on loopback, and its client."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.support.sinks import Sink, sink


@pytest.fixture
def hook(settings: Settings) -> Iterator[Sink]:
    """Run a receiver that endpoints may name."""
    settings.WEBHOOK_DEBUG = True
    with sink() as running:
        yield running
