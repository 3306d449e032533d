"""The read models equal a fold of the log, even if processes or connections die in any phase.

With a separate transaction for the checkpoint, rows would count twice or not at all.
With a cursor that does not wait for open transactions, events would be missing.
"""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config.stack import place
from payments.aggregates import PAYMENT_AGGREGATE, POLICY_AGGREGATE, SECOND_REVIEW_AGGREGATE
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.domain.risk.register import REGISTER, PolicyProposed
from payments.domain.second_review import AnySecondReviewEvent
from payments.events import store
from payments.events.reading import horizon
from payments.events.reading.horizon import HorizonHeld
from readmodels.engine import parking, runner
from readmodels.models import ParkedEvent
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Entries, Projection
from readmodels.rebuild.rebuilding import rebuild
from tests.support.concurrency import session
from tests.support.crashing import at_round_trip
from tests.support.example_events import (
    approved,
    failed,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    rejected,
)
from tests.support.examples import NOON, OPERATOR, REVIEWER
from tests.support.oracle import check_read_models
from tests.support.poison import BY_TEST, raises, spoiled
from tests.support.raw_appends import insert
from tests.support.second_review_events import CONCLUDED, REQUESTED

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NAMES = st.sampled_from(list(PROJECTIONS))


@pytest.mark.parametrize("name", PROJECTIONS)
def test_worker_killed_in_any_phase_applies_each_event_once(name: str) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.crashing", name],
        env=environment,
        cwd=place.PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 6, "a batch has more phases than that"


def lose_the_connection() -> None:
    """End the session on the server, as a kill of PostgreSQL does. The client notices later."""
    pid = connection.connection.info.backend_pid
    with session() as other:
        other.execute("SELECT pg_terminate_backend(%s, 1000)", (pid,))


class Projections(RuleBasedStateMachine):
    """Commands, batches, crashes, poisonous events, repairs and rebuilds, in random order."""

    def __init__(self) -> None:
        super().__init__()
        call_command("flush", "--no-input", verbosity=0)
        self.undecided: list[UUID] = []
        self.poison: set[UUID] = set()
        self.open: Any = None
        self.policies = 0

    @rule(outcome=st.sampled_from([processed, failed, None]), poison=st.booleans())
    def submit(self, *, outcome: Any, poison: bool) -> None:
        self._append(uuid4(), initiated(), *([outcome()] if outcome else []), poison=poison)

    @rule(poison=st.booleans())
    def flag(self, *, poison: bool) -> None:
        self.undecided.append(self._append(uuid4(), initiated(), flagged(), poison=poison))

    @precondition(lambda self: self.undecided)
    @rule(approve=st.booleans())
    def decide(self, *, approve: bool) -> None:
        events: Any = [approved(), processed_after_approval()] if approve else [rejected()]
        store.append(PAYMENT_AGGREGATE, self.undecided.pop(), events, expected=2, metadata=BY_TEST)

    @rule()
    def propose(self) -> None:
        """Append an event of another aggregate, which projections of payments skip."""
        policy_id = f"{self.policies:064}"
        document = DEFAULT_POLICY.document
        event = PolicyProposed(at=NOON, policy_id=policy_id, by=REVIEWER, document=document)
        store.append(POLICY_AGGREGATE, REGISTER, [event], expected=self.policies, metadata=BY_TEST)
        self.policies += 1

    @rule(poison=st.booleans())
    def review_again(self, *, poison: bool) -> None:
        """Append events of another aggregate, which one projection applies."""
        stream = uuid4()
        if poison:
            self.poison.add(stream)
        events: list[AnySecondReviewEvent] = [REQUESTED, CONCLUDED]
        store.append(SECOND_REVIEW_AGGREGATE, stream, events, expected=0, metadata=BY_TEST)

    @precondition(lambda self: self.open is None)
    @rule()
    def append_and_stay_open(self) -> None:
        """Leave an append open, so that later positions are committed first."""
        self.open = session()
        writer = self.open.__enter__()
        writer.execute("BEGIN")
        insert(writer)
        self.writer = writer

    @precondition(lambda self: self.open is not None)
    @rule(commit=st.booleans())
    def end_the_open_one(self, *, commit: bool) -> None:
        self.writer.execute("COMMIT" if commit else "ROLLBACK")
        self.open.__exit__(None, None, None)
        self.open = None

    @rule(name=NAMES, limit=st.integers(1, 9))
    def project(self, name: str, limit: int) -> None:
        self._run(self._spoiled(name), limit)

    @rule(name=NAMES, limit=st.integers(1, 9), number=st.integers(1, 14))
    def crash(self, name: str, limit: int, number: int) -> None:
        connection.ensure_connection()
        with suppress(OperationalError, InterfaceError):
            with at_round_trip(number, lose_the_connection):
                self._run(self._spoiled(name), limit)
        connection.close()

    @rule(name=NAMES, repaired=st.booleans())
    def retry(self, *, name: str, repaired: bool) -> None:
        projection: Any = PROJECTIONS[name] if repaired else self._spoiled(name)
        for aggregate_id in parking.aggregates(projection):
            parking.retry(projection, aggregate_id, by=OPERATOR)

    @rule(name=NAMES)
    def discard(self, name: str) -> None:
        projection: Any = self._spoiled(name)
        first = ParkedEvent.objects.filter(projection=name).order_by("position").first()
        if first is not None:
            moment = datetime(2026, 1, 1, tzinfo=UTC)
            parking.discard(projection, first.position, reason="a test", by=OPERATOR, at=moment)

    @precondition(lambda self: self.open is None)
    @rule(name=NAMES)
    def rebuild(self, name: str) -> None:
        rebuild([PROJECTIONS[name]])

    @invariant()
    def the_read_models_are_what_the_log_says(self) -> None:
        check_read_models()

    def teardown(self) -> None:
        if self.open is not None:
            self.end_the_open_one(commit=True)
        for projection in PROJECTIONS.values():
            runner.catch_up(projection)
        check_read_models()

    def _spoiled(self, name: str) -> Any:
        projection = PROJECTIONS[name]
        if isinstance(projection, Entries):
            return projection  # entries have no function to spoil
        return spoiled(
            projection, raises, lambda each: each.aggregate_id in self.poison and each.version > 1
        )

    def _run(self, projection: Projection, limit: int) -> None:
        with suppress(HorizonHeld):  # the batch read nothing
            runner.run_batch(projection, limit=limit)

    def _append(self, stream: UUID, *events: Any, poison: bool) -> UUID:
        if poison:
            self.poison.add(stream)
        store.append(PAYMENT_AGGREGATE, stream, events, expected=0, metadata=BY_TEST)
        return stream


@pytest.mark.parametrize("examples", [4, pytest.param(12, marks=pytest.mark.nightly)])
def test_read_models_equal_the_log_after_random_steps(
    monkeypatch: pytest.MonkeyPatch, examples: int, *, long: bool
) -> None:
    impatient = partial(horizon.safe_position, patience=0.02)
    monkeypatch.setattr(horizon, "safe_position", impatient)
    run_state_machine_as_test(
        Projections,
        settings=settings(
            max_examples=400 if long else examples,
            stateful_step_count=30,
            derandomize=not long,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
