"""Engine functions that need the caller's transaction raise outside of one."""

from collections.abc import Callable

import pytest
from django.db.transaction import TransactionManagementError

from readmodels.engine import applying, checkpoints, parking, runner
from readmodels.engine.metering import Work
from readmodels.projections import payment_summary
from readmodels.rebuild import catalogue

pytestmark = pytest.mark.django_db(transaction=True)

SUMMARY = payment_summary.PROJECTION
TABLE = SUMMARY.model._meta.db_table


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: applying.apply(SUMMARY, []), id="apply"),
        pytest.param(lambda: parking.apply_or_park(SUMMARY, []), id="park"),
        pytest.param(lambda: runner.advance(SUMMARY, upto=0), id="advance"),
        pytest.param(lambda: checkpoints.try_lock(SUMMARY), id="try_lock"),
        pytest.param(lambda: checkpoints.lock(SUMMARY), id="lock"),
        pytest.param(lambda: checkpoints.move(SUMMARY, 1, Work()), id="move"),
        pytest.param(
            lambda: catalogue.finish(
                TABLE, catalogue.describe("public", TABLE), schema="readmodels_build"
            ),
            id="finish",
        ),
    ],
)
def test_call_outside_a_transaction_raises(call: Callable[[], object]) -> None:
    with pytest.raises(TransactionManagementError, match="must run inside a transaction"):
        call()
