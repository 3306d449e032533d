"""A log for tests that contradict it."""

import pytest

from payments.clients.models import Client
from payments.events.reading import horizon
from payments.events.seals import sealing
from payments.traffic import history
from tests.support.api import project
from tests.support.raw_appends import Session, insert


@pytest.fixture
def top(writer: Session) -> int:
    """Return the last position of a log that is projected and sealed, with a gap before it."""
    history.write(Client.objects.create(name="Old").pk, events=60, seed=1)
    with writer.transaction(force_rollback=True):
        for _ in range(3):
            insert(writer)
    insert(writer)
    project()
    list(sealing.seal_all())
    return horizon.last_event()
