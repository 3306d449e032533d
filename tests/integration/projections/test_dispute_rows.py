"""Rows and sums of disputes agree with the domain, in batches of any size and after a rebuild."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.codes import DisputeKind, DisputeOutcome
from payments.domain.payment.commands import AnyDisputeCommand
from payments.domain.payment.disputes import DisputeStatus
from payments.events.replay import load
from readmodels.engine import runner
from readmodels.models import Checkpoint, DailyStatistics, DisputeSummary, PaymentSummary
from readmodels.projections import PROJECTIONS, daily_statistics, dispute_summary, payment_summary
from readmodels.projections.dispute_summary import NEVER
from readmodels.rebuild import checking
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import project
from tests.support.disputing import completed, note
from tests.support.example_commands import (
    close_dispute,
    open_dispute,
    respond_to_dispute,
    update_dispute,
)
from tests.support.examples import NOON, OPENED, RESPOND_BY, usd
from tests.support.oracle import check_read_models

pytestmark = pytest.mark.django_db(transaction=True)

OF_DISPUTES = (
    dispute_summary.PROJECTION,
    payment_summary.PROJECTION,
    daily_statistics.PROJECTION,
)
OPEN = open_dispute(amount=usd(40_00))
UPDATE = update_dispute(amount=usd(50_00), kind=DisputeKind.PRE_ARBITRATION)
CLOSE = close_dispute(lost_amount=usd(30_00))


def sums(column: str, day: Any) -> int:
    rows = DailyStatistics.objects.filter(day=day).values_list(column, flat=True)
    return sum(rows)


def contents() -> list[list[Any]]:
    models = (DisputeSummary, PaymentSummary, DailyStatistics)
    return [list(model._default_manager.order_by("pk").values_list()) for model in models]


def test_disputes_of_one_payment_have_a_row_each() -> None:
    payment_id = completed()
    note(payment_id, OPEN, open_dispute(dispute_id="dp_2", amount=usd(10_00), respond_by=None))

    project()

    rows = {row.dispute_id: row for row in DisputeSummary.objects.all()}
    assert {row.payment_id for row in rows.values()} == {payment_id}
    assert rows["dp_2"].due_at == NEVER
    assert rows[OPEN.dispute_id].due_at == RESPOND_BY
    assert rows[OPEN.dispute_id].disputed_amount == 40_00


def test_rows_agree_with_the_domain_in_any_order_of_notices() -> None:
    response = respond_to_dispute()
    notices: tuple[AnyDisputeCommand, ...] = (OPEN, UPDATE, response, CLOSE)
    for order in permutations(notices):
        payment_id = completed()
        if order[0] is response:  # refused, because the dispute is not known yet
            continue
        note(payment_id, *order, *order)

    project()

    stated = {
        (row.kind, row.disputed_amount, row.lost_amount, row.status, row.opened_at)
        for row in DisputeSummary.objects.all()
    }
    assert stated == {
        (DisputeKind.PRE_ARBITRATION, 50_00, 30_00, DisputeStatus.CLOSED, OPENED),
    }
    for row in DisputeSummary.objects.all():
        payment = load(PAYMENT_AGGREGATE, row.payment_id).state
        assert payment is not None
        folded = dispute_summary.dispute(_row(row))
        assert [folded] == [replace(each, responses=()) for each in payment.disputes]


def _row(stored: DisputeSummary) -> dispute_summary.Row:
    names = dispute_summary.Row.__struct_fields__
    return dispute_summary.Row(**{name: getattr(stored, name) for name in names})


def test_payment_row_counts_open_and_lost_disputes() -> None:
    payment_id = completed()
    note(payment_id, OPEN, open_dispute(dispute_id="dp_2", amount=usd(10_00)))
    project()
    row = PaymentSummary.objects.get()
    assert (row.dispute_count, row.open_disputes, row.disputed_amount) == (2, 2, 50_00)

    note(payment_id, UPDATE, CLOSE)
    project()

    row = PaymentSummary.objects.get()
    assert (row.dispute_count, row.open_disputes) == (2, 1)
    assert (row.disputed_amount, row.lost_amount) == (10_00, 30_00)


def test_statistics_count_disputes_on_the_day_of_the_payment_and_of_the_opening() -> None:
    note(completed(), OPEN, CLOSE)
    note(completed(), close_dispute(outcome=DisputeOutcome.WON, lost_amount=usd(0)))

    project()

    paid, opened = NOON.date(), OPENED.date()
    assert sums("payment_day_disputed_count", paid) == 2
    assert sums("payment_day_lost_count", paid) == 1
    assert sums("payment_day_lost_volume", paid) == 30_00
    assert sums("dispute_day_disputed_count", opened) == 1
    assert sums("dispute_day_disputed_volume", opened) == 40_00
    assert sums("dispute_day_lost_volume", opened) == 30_00
    assert sums("dispute_day_disputed_count", paid) == 0


def test_late_opening_moves_a_dispute_to_its_day() -> None:
    payment_id = completed()
    note(payment_id, CLOSE)
    project()
    ended = CLOSE.closed_at.date()
    assert sums("dispute_day_lost_count", ended) == 1

    note(payment_id, OPEN)
    project()

    assert sums("dispute_day_lost_count", ended) == 0
    assert sums("dispute_day_lost_volume", ended) == 0
    assert sums("dispute_day_lost_count", OPENED.date()) == 1


def test_corrected_outcome_replaces_the_earlier_one() -> None:
    payment_id = completed()
    won = close_dispute(outcome=DisputeOutcome.WON, lost_amount=usd(0))
    note(payment_id, OPEN, won)
    later = CLOSE.closed_at + timedelta(days=1)
    note(payment_id, close_dispute(lost_amount=usd(30_00), closed_at=later))

    project()

    assert PaymentSummary.objects.get().lost_amount == 30_00
    assert sums("payment_day_lost_count", NOON.date()) == 1


@pytest.mark.slow
def test_batches_of_any_size_and_a_rebuild_give_the_same_rows() -> None:
    for number in range(6):
        payment_id = completed()
        second = open_dispute(dispute_id=f"second-{number}", amount=usd(20_00))
        note(payment_id, *(CLOSE, UPDATE, second, OPEN)[number % 3 :])
    found = []
    for limit in (1, 2, 3, 1_000):
        Checkpoint.objects.all().delete()
        for model in (DisputeSummary, PaymentSummary, DailyStatistics):
            model._default_manager.all().delete()
        for projection in OF_DISPUTES:
            while (batch := runner.run_batch(projection, limit=limit)) and batch.events:
                pass
        found.append(contents())
    assert all(each == found[0] for each in found)
    assert len(found[0][0]) == 12

    project()
    rebuild(list(PROJECTIONS.values()))

    assert contents() == found[0]
    check_read_models()
    assert checking.check_sample(dispute_summary.PROJECTION, 100).drifted == ()


def test_sample_finds_a_row_that_differs_from_its_events() -> None:
    note(completed(), OPEN)
    project()
    DisputeSummary.objects.update(disputed_amount=1)

    checked = checking.check_sample(dispute_summary.PROJECTION, 10)

    assert checked.rows == 1
    assert checked.drifted[0].columns["disputed_amount"] == ("1", "4000")


def test_row_ids_differ_between_payments() -> None:
    first, second = UUID(int=1), UUID(int=2)

    assert dispute_summary.row_id(first, "dp_1") != dispute_summary.row_id(second, "dp_1")
