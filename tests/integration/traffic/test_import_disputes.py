"""An import of disputes finds their payments. Repeating it changes nothing."""

import itertools
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from payments import actors
from payments.application import bulk
from payments.application.dispatch import CommandContext, dispatch
from payments.clients.models import Client
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.disputes import Dispute
from payments.events.models import Event
from tests.support.example_commands import process
from tests.support.examples import PAYMENT, usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HEADER: Final = (
    "client,reference,payment_id,dispute_id,notice,date,amount,currency,kind,reason,respond_by,"
    "outcome,lost_amount\n"
)
OPEN: Final = "Acme,order-1,,dp_1,open,2026-02-01,100.00,USD,chargeback,fraudulent,2026-02-15,,\n"
UPDATE: Final = (
    "Acme,order-1,,dp_1,update,2026-02-02T09:30:00+01:00,60.00,USD,chargeback,duplicate,,,\n"
)
CLOSE: Final = "Acme,order-1,,dp_1,close,2026-02-03,,USD,,,,lost,40.00\n"


@pytest.fixture(autouse=True)
def payment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A completed payment of Acme over USD 100.00 with the reference order-1."""
    monkeypatch.chdir(tmp_path)
    acme = Client.objects.create(name="Acme")
    return paid(acme, "order-1")


def paid(client: Client, reference: str, **changes: Any) -> UUID:
    command = process(client_id=client.pk, payment_id=uuid4(), reference=reference, **changes)
    dispatch(command, CommandContext(actor=actors.client(client.pk), key=reference))
    return command.payment_id


def write(*rows: str, header: str = HEADER) -> Path:
    path = Path("disputes.csv")
    path.write_text(header + "".join(rows), newline="")
    return path


def run(path: Path, *options: str, status: int = 0) -> dict[str, str]:
    """Run the import. Return the report's lines by their labels."""
    out = StringIO()
    code: Any = 0
    try:
        call_command("import_disputes", str(path), *options, stdout=out)
    except SystemExit as exit_:
        code = exit_.code
    assert code == status
    return {line[:17].strip(): " ".join(line[17:].split()) for line in out.getvalue().splitlines()}


def counts(report: dict[str, str]) -> tuple[int, int, int]:
    """Return the numbers of accepted lines, lines with nothing new, and refused lines."""
    first = (report[name].split()[0] for name in ("accepted", "nothing new", "refused"))
    accepted, known, refused = (int(each.replace(",", "")) for each in first)
    return accepted, known, refused


def rejects() -> list[str]:
    path = Path("disputes.csv.rejected.csv")
    return path.read_text().splitlines()[1:] if path.exists() else []


def disputes(payment: UUID) -> tuple[Dispute, ...]:
    state = bulk.load([payment])[payment]
    assert state is not None
    return state.disputes


def test_notices_in_any_order_lead_to_the_same_dispute(payment: UUID) -> None:
    report = run(write(CLOSE, UPDATE, OPEN))

    assert counts(report) == (3, 0, 0)
    (dispute,) = disputes(payment)
    assert (dispute.kind, dispute.reason) == (DisputeKind.CHARGEBACK, DisputeReason.DUPLICATE)
    assert (dispute.disputed, dispute.lost) == (usd(60_00), usd(40_00))
    assert dispute.opened_at == datetime(2026, 2, 1, tzinfo=UTC)
    assert dispute.stated_at == datetime(2026, 2, 2, 8, 30, tzinfo=UTC)
    assert dispute.closed_at == datetime(2026, 2, 3, tzinfo=UTC)
    assert dispute.outcome is DisputeOutcome.LOST
    added = Event.objects.filter(version__gt=2).values_list("metadata", flat=True)
    assert {each["correlation_id"] for each in added} == {report["correlation id"]}
    assert all(actors.is_operator(each["actor"]) for each in added)


def test_import_of_the_same_file_again_changes_nothing() -> None:
    path = write(OPEN, UPDATE, CLOSE, OPEN)
    assert counts(run(path)) == (3, 1, 0)
    events = Event.objects.count()

    assert counts(run(path)) == (0, 4, 0)

    assert Event.objects.count() == events


def test_payment_is_found_by_id_without_a_client(payment: UUID) -> None:
    path = write(
        f"{payment},dp_1,2026-02-01,100.00,fraudulent\n",
        header="payment_id,case,received,total,reason\n",
    )

    report = run(
        path,
        "--currency=USD",
        "--map=dispute_id=case,date=received,amount=total",
        "--set=notice=open,kind=inquiry",
    )

    assert counts(report) == (1, 0, 0)
    assert [each.kind for each in disputes(payment)] == [DisputeKind.INQUIRY]


def test_lines_without_room_are_tried_again_after_later_lines(
    payment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a second run of the file would change the log."""
    monkeypatch.setattr("payments.traffic.imports.BATCH", 1)
    won = CLOSE.replace("lost,40.00", "won,")
    second, third = (OPEN.replace("dp_1", f"dp_{number}") for number in (2, 3))
    path = write(OPEN, second, third, won)

    report = run(path)

    assert counts(report) == (3, 0, 1)
    assert [each.startswith("4,dispute_too_large,") for each in rejects()] == [True]
    assert [each.dispute_id for each in disputes(payment)] == ["dp_1", "dp_2"]
    assert counts(run(path)) == (0, 3, 1)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (OPEN.replace("100.00", "100.01"), "dispute_too_large"),
        (OPEN.replace("USD", "EUR"), "dispute_currency_differs"),
        (OPEN.replace("100.00", "100.005"), "amount_too_precise"),
        (OPEN.replace("100.00", "1e2"), "amount_not_a_number"),
        (OPEN.replace("100.00", "0"), "amount_not_positive"),
        (OPEN.replace("100.00", "-1"), "amount_not_positive"),
        (OPEN.replace("100.00", ""), "amount_missing"),
        (OPEN.replace("USD", ""), "currency_missing"),
        (OPEN.replace("USD", "usd"), "unknown_currency"),
        (OPEN.replace("chargeback", ""), "kind_missing"),
        (OPEN.replace("chargeback", "complaint"), "unknown_kind"),
        (OPEN.replace("fraudulent", "anger"), "unknown_reason"),
        (OPEN.replace("fraudulent", ""), "reason_missing"),
        (OPEN.replace("open", "reopen"), "unknown_notice"),
        (OPEN.replace("2026-02-01", "2999-01-01"), "in_the_future"),
        (OPEN.replace("2026-02-01", "02/01/2026"), "unknown_date"),
        (OPEN.replace("2026-02-01", ""), "unknown_date"),
        (OPEN.replace("2026-02-15", "soon"), "unknown_date"),
        (OPEN.replace("dp_1", ""), "text_empty"),
        (OPEN.replace("dp_1", "d" * 101), "text_too_long"),
        (OPEN.replace("dp_1", "d\0p"), "text_not_printable"),
        (OPEN.replace("dp_1", "4111 1111 1111 1111"), "card_number_refused"),
        (OPEN.replace("order-1", "4111 1111 1111 1111"), "card_number_refused"),
        (OPEN.replace("order-1", "order-2"), "unknown_reference"),
        (OPEN.replace("order-1", ""), "payment_missing"),
        (OPEN.replace("Acme", ""), "client_missing"),
        (OPEN.replace("Acme", "Acme Ltd"), "unknown_client"),
        (OPEN.replace("order-1,", ",1"), "unknown_payment_id"),
        (OPEN.replace("order-1,", f",{PAYMENT}"), "payment_not_found"),
        (CLOSE.replace("lost,", "won,"), "dispute_loss_invalid"),
        (CLOSE.replace("lost,", ","), "outcome_missing"),
        (CLOSE.replace("lost,", "drawn,"), "unknown_outcome"),
        (CLOSE.replace("40.00", ""), "lost_amount_missing"),
        (CLOSE.replace("40.00", "100.01"), "dispute_too_large"),
        (CLOSE.replace("40.00", "0.00").replace("USD", "ZZZ"), "unknown_currency"),
        (OPEN.replace("\n", ",\n"), "wrong_width"),
        (OPEN.replace("Acme", '"Acme "x" y"'), "not_csv"),
        ("x" * 200_000 + "\n", "line_too_long"),
    ],
)
def test_invalid_line_is_refused_with_number_and_reason(row: str, code: str, payment: UUID) -> None:
    report = run(write(OPEN.replace("100.00", "10.00").replace("dp_1", "dp_0"), row))

    assert counts(report) == (1, 0, 1)
    (reject,) = rejects()
    assert reject.startswith(f"3,{code},")
    assert "4111" not in reject
    assert len(disputes(payment)) == 1


def test_payment_of_another_client_is_not_found(payment: UUID) -> None:
    Client.objects.create(name="Other")
    other = OPEN.replace("Acme,order-1,", f"Other,,{payment}")

    assert counts(run(write(other), status=1)) == (0, 0, 1)
    assert rejects()[0].startswith("2,payment_not_found,")
    assert disputes(payment) == ()


def test_payment_that_failed_is_not_disputable() -> None:
    paid(Client.objects.get(), "order-9", amount=usd(25_000_01))

    run(write(OPEN.replace("order-1", "order-9")), status=1)

    assert rejects()[0].startswith("2,not_disputable,")


def test_repetition_with_other_values_is_contradicted() -> None:
    run(write(OPEN, OPEN.replace("100.00", "90.00")))

    assert rejects()[0].startswith("3,dispute_contradicted,")


def test_line_that_is_not_utf8_is_refused() -> None:
    path = write(OPEN)
    path.write_bytes(path.read_bytes() + b"\xff\xfe" + OPEN.encode())

    assert counts(run(path)) == (1, 0, 1)
    assert rejects()[0].startswith("3,not_utf8,")


def test_strict_import_with_refused_lines_exits_with_3() -> None:
    run(write(OPEN, "x\n"), "--strict", status=3)


def test_dry_run_reports_the_same_and_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.traffic.imports.BATCH", 1)
    won = CLOSE.replace("lost,40.00", "won,")
    path = write(OPEN, OPEN, OPEN.replace("dp_1", "dp_2"), UPDATE, won, won, "x\n")
    events = Event.objects.count()

    dry = run(path, "--dry-run")

    assert Event.objects.count() == events
    assert "correlation id" not in dry
    refused = rejects()
    real = run(path)
    assert (counts(dry), refused) == (counts(real), rejects())
    assert counts(dry) == (4, 2, 1)


@pytest.mark.parametrize(
    ("header", "options", "complaint"),
    [
        ("a,b\n", [], "No column for dispute_id, notice, date"),
        ("dispute_id,notice,date,amonut\n", [], "No column for payment_id, nor for client and"),
        ("dispute_id,notice,date,client\n", [], "No column for payment_id, nor for client and"),
        (HEADER, ["--map=amonut=amount"], "--map amonut: there is no such field"),
        (HEADER, ["--map=amount=total"], "--map amount=total: the columns are client"),
        (HEADER, ["--currency=USD", "--set=currency=USD"], "in both --currency and --set"),
        (HEADER, ["--currency=usd"], "--set currency: 'usd' is not"),
        (HEADER, ["--set=notice=reopen"], "--set notice: 'reopen' is not a type of notice"),
        (HEADER, ["--set=kind=x"], "--set kind: 'x' is not a kind of dispute"),
        (HEADER, ["--set=reason=x"], "--set reason: 'x' is not a reason"),
        (HEADER, ["--set=outcome=x"], "--set outcome: 'x' is not an outcome"),
        (HEADER, ["--set=date=x"], "--set date: 'x' is not a date"),
        (HEADER, ["--set=respond_by=x"], "--set respond_by: 'x' is not a date"),
        (HEADER, ["--set=payment_id=x"], "--set payment_id: 'x' is not a payment id"),
        (HEADER, ["--set=amount=1.234,currency=USD"], "--set amount: 1.234 has more than"),
    ],
)
def test_import_refuses_invalid_options_in_one_line(
    header: str, options: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        run(write(OPEN, header=header), *options)


def test_decimal_commas_are_read_as_in_other_imports(payment: UUID) -> None:
    path = write(OPEN.replace(",", ";").replace("100.00", "98,50"), header=HEADER.replace(",", ";"))

    run(path, "--decimal=comma")

    assert [each.disputed for each in disputes(payment)] == [usd(98_50)]


@pytest.mark.parametrize(
    "rows",
    list(
        itertools.permutations(
            [OPEN, UPDATE, CLOSE, OPEN.replace("dp_1", "dp_2").replace("100", "40")]
        )
    ),
)
def test_any_order_of_lines_leads_to_the_same_disputes(rows: tuple[str, ...]) -> None:
    other = paid(Client.objects.get(), f"order-{uuid4()}")
    reference = str(bulk.load([other])[other].reference)  # type: ignore[union-attr]

    run(write(*(row.replace("order-1", reference) for row in rows)))

    found = [(each.dispute_id, each.disputed, each.outcome) for each in disputes(other)]
    assert found == [("dp_1", usd(60_00), DisputeOutcome.LOST), ("dp_2", usd(40_00), None)]
