"""Crashes at a chosen round trip to the database, to cover every phase of a batch.

As a program, this module kills a child at each round trip of a batch in turn. After each kill, it
compares the read models with the log.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg


@contextmanager
def at_round_trip(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Call `action` just before psycopg waits for the server for the `number`th time (from 1)."""
    wait = psycopg.Connection.wait
    waits = count(1)

    def counted(connection: Any, *arguments: Any, **options: Any) -> Any:
        if next(waits) == number:
            action()
        return wait(connection, *arguments, **options)

    psycopg.Connection.wait = counted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        psycopg.Connection.wait = wait  # type: ignore[method-assign]


def die() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(name: str) -> None:
    """Kill a batch of projection `name` in each of its phases. Print the number of phases."""
    import django

    django.setup()
    from django.db import connections

    from readmodels.engine import runner
    from readmodels.projections import PROJECTIONS
    from tests.support.oracle import check_read_models

    projection = PROJECTIONS[name]
    undecided = None
    for number in count(1):
        undecided = _append(undecided)
        connections.close_all()  # a fork would share it
        child = os.fork()
        if child == 0:
            with at_round_trip(number, die):
                runner.run_batch(projection)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        check_read_models([projection])
        if status == 0:
            break
        runner.catch_up(projection)
        check_read_models([projection])
    print(number)


def _append(undecided: UUID | None) -> UUID:
    """Begin a payment and complete the previous one, so that a row is inserted and one is changed.

    Each payment has a second review.
    """
    from payments.aggregates import PAYMENT_AGGREGATE, SECOND_REVIEW_AGGREGATE
    from payments.events import store
    from payments.events.metadata import Metadata
    from tests.support.example_events import approved, flagged, initiated, processed_after_approval
    from tests.support.second_review_events import CONCLUDED, REQUESTED

    by_test = Metadata(actor="system:test", command="process_payment")
    if undecided is not None:
        decided = (approved(), processed_after_approval())
        store.append(PAYMENT_AGGREGATE, undecided, decided, expected=2, metadata=by_test)
        review = uuid5(undecided, "review")
        store.append(SECOND_REVIEW_AGGREGATE, review, [CONCLUDED], expected=1, metadata=by_test)
    begun = uuid4()
    review = uuid5(begun, "review")
    store.append(SECOND_REVIEW_AGGREGATE, review, [REQUESTED], expected=0, metadata=by_test)
    store.append(PAYMENT_AGGREGATE, begun, (initiated(), flagged()), expected=0, metadata=by_test)
    return begun


if __name__ == "__main__":
    main(sys.argv[1])
