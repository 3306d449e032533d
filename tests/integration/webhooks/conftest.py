"""A receiver on loopback and its client, and an authority for TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from readmodels.webhooks import connections
from tests.support.certificates import Authority
from tests.support.sinks import Sink, sink


@pytest.fixture
def hook(settings: Settings) -> Iterator[Sink]:
    """Run a receiver on this machine, and let endpoints have its URL."""
    settings.WEBHOOK_DEBUG = True
    with sink() as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that the sender trusts."""
    found = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(found.path))
    connections._tls.cache_clear()
    yield found
    connections._tls.cache_clear()
