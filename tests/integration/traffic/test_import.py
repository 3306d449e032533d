"""An import adds every row once, even if it is repeated, interrupted or concurrent."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from hypothesis import given, strategies as st

from config.stack import place
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.domain.payment.state import Status
from payments.events.models import Event
from payments.traffic import lines
from payments.traffic.layout import Layout, LayoutError
from payments.traffic.rows import FIELDS
from readmodels.models import DailyStatistics, PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import project
from tests.support.concurrency import at_once
from tests.support.killing import killed_after

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CDNOW: Final = place.PROJECT.parent / "shared" / "data" / "cdnow_master.txt"
CDNOW_OPTIONS: Final = (
    "--map=amount=dollar_value",
    "--set=currency=USD,method=credit_card,client=CDNOW",
)
HEADER: Final = "customer_id,date,amount,currency,method,reference\n"
ROW: Final = "ann,1997-01-31,11.77,USD,credit_card,\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "past.csv") -> Path:
    path = Path(name)
    path.write_text(text, newline="")
    return path


def run(path: Path, *options: str, status: int = 0) -> dict[str, str]:
    """Run the import. Return the report's lines by their labels."""
    out = StringIO()
    options = options or ("--set=client=Acme",)
    try:
        call_command("import_payments", str(path), *options, stdout=out)
        code: Any = 0
    except SystemExit as exit_:
        code = exit_.code
    assert code == status
    return {line[:17].strip(): " ".join(line[17:].split()) for line in out.getvalue().splitlines()}


def rejects(name: str = "past.csv") -> list[str]:
    path = Path(f"{name}.rejected.csv")
    return path.read_text().splitlines()[1:] if path.exists() else []


def summaries() -> list[Any]:
    return list(PaymentSummary.objects.order_by("payment_id").values_list())


@pytest.mark.nightly
@pytest.mark.skipif(not CDNOW.exists(), reason="there is no cdnow_master.txt next to the project")
def test_import_of_real_purchases_has_exact_totals(*, long: bool) -> None:
    report = run(CDNOW, *CDNOW_OPTIONS)
    assert report["accepted"] == "69,579"
    assert report["refused"] == "80 see cdnow_master.txt.rejected.csv"
    assert report["in the log"] == "69,579 USD 2,500,315.63"
    assert len(rejects("cdnow_master.txt")) == 80
    assert Event.objects.count() == 139_158
    project()
    for total in (
        PaymentSummary.objects.aggregate(sum=Sum("amount"))["sum"],
        DailyStatistics.objects.aggregate(sum=Sum("completed_volume"))["sum"],
        DailyStatistics.objects.aggregate(sum=Sum("total_volume"))["sum"],
    ):
        assert total == 2_500_315_63
    if not long:
        return
    before = (summaries(), list(DailyStatistics.objects.order_by("pk").values_list()))
    again = run(CDNOW, *CDNOW_OPTIONS)
    assert (again["accepted"], again["already imported"]) == ("0", "69,579")
    assert Event.objects.count() == 139_158
    rebuild(list(PROJECTIONS.values()))
    assert before == (summaries(), list(DailyStatistics.objects.order_by("pk").values_list()))


def test_imported_row_is_a_completed_payment_of_its_day() -> None:
    run(write(HEADER + "ann,1997-01-31,11.77,USD,credit_card,order-1\n"))
    project()

    payment = PaymentSummary.objects.get()

    assert (payment.amount, payment.currency, payment.method) == (1177, "USD", "credit_card")
    assert payment.status == Status.COMPLETED
    assert payment.risk_score is None
    assert payment.reference == "order-1"
    assert payment.initiated_at == payment.processed_at == datetime(1997, 1, 31, tzinfo=UTC)
    assert Customer.objects.get().reference == "ann"
    assert Client.objects.get().name == "Acme"
    assert DailyStatistics.objects.get().day.isoformat() == "1997-01-31"


def test_payment_over_its_methods_limit_is_imported_as_failed() -> None:
    run(write(HEADER + "ann,1997-01-31,25000.01,USD,credit_card,\n"))
    project()
    assert PaymentSummary.objects.get().status == Status.FAILED


def test_equal_rows_are_different_payments() -> None:
    """Without ordinals, two equal purchases of one day would be one payment."""
    path = write(HEADER + ROW * 3 + "bob,1997-01-31,1.00,USD,wallet,\n" + ROW)
    assert run(path)["accepted"] == "5"
    assert run(path)["already imported"] == "5"
    assert Event.objects.count() == 10


def test_import_of_a_longer_file_adds_only_new_rows() -> None:
    run(write(HEADER + ROW * 2))
    report = run(write(HEADER + ROW * 3 + "bob,1997-01-31,1.00,USD,wallet,\n"))
    assert (report["accepted"], report["already imported"]) == ("2", "2")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("ann,1997-01-31,0,USD,credit_card,", "amount_not_positive"),
        ("ann,1997-01-31,-1.00,USD,credit_card,", "amount_not_positive"),
        ("ann,1997-01-31,1.005,USD,credit_card,", "amount_too_precise"),
        ("ann,1997-01-31,1.5,JPY,credit_card,", "amount_too_precise"),
        ("ann,1997-01-31,1e3,USD,credit_card,", "amount_not_a_number"),
        ("ann,1997-01-31,NaN,USD,credit_card,", "amount_not_a_number"),
        ("ann,1997-01-31,,USD,credit_card,", "amount_not_a_number"),
        ("ann,1997-01-31,99999999999999999999,USD,credit_card,", "amount_too_large"),
        ("ann,1997-01-31,1.00,XXX,credit_card,", "unknown_currency"),
        ("ann,1997-01-31,1.00,USD,cheque,", "unknown_method"),
        ("ann,1997-02-31,1.00,USD,credit_card,", "unknown_date"),
        ("ann,19970231,1.00,USD,credit_card,", "unknown_date"),
        ("ann,yesterday,1.00,USD,credit_card,", "unknown_date"),
        ("ann,2999-01-01,1.00,USD,credit_card,", "in_the_future"),
        (",1997-01-31,1.00,USD,credit_card,", "text_empty"),
        (f"{'x' * 256},1997-01-31,1.00,USD,credit_card,", "text_too_long"),
        ("a\0b,1997-01-31,1.00,USD,credit_card,", "text_not_printable"),
        ("4111 1111 1111 1111,1997-01-31,1.00,USD,credit_card,", "card_number_refused"),
        # Card numbers in an unused column, and in values that the refusal would quote.
        ("ann,1997-01-31,1.00,USD,4111111111111111", "wrong_width"),
        ("ann,4111111111111111,1.00,USD,credit_card,", "unknown_date"),
        ("ann,1997-01-31,1.00,USD,4111 1111 1111 1111,", "unknown_method"),
        ("ann,1997-01-31,1.00,USD", "wrong_width"),
        ("ann,1997-01-31,1.00,USD,credit_card,,,", "wrong_width"),
        ('"ann "x" y",1997-01-31,1.00,USD,credit_card,', "not_csv"),
        (f"{'x' * 200_000}", "line_too_long"),
    ],
)
def test_invalid_row_is_refused_with_line_and_reason(row: str, code: str) -> None:
    report = run(write(HEADER + ROW + row + "\n" + ROW))
    assert (report["accepted"], report["refused"].split()[0]) == ("2", "1")
    (reject,) = rejects()
    assert reject.startswith(f"3,{code},")
    assert "4111" not in reject


def test_line_that_is_not_utf8_is_refused() -> None:
    Path("past.csv").write_bytes(HEADER.encode() + b"\xff\xfe,1997-01-31,1,USD,wallet,\n")
    assert run(Path("past.csv"), status=1)["refused"].startswith("1")
    assert rejects()[0].startswith("2,not_utf8,")


def test_taken_reference_refuses_only_its_row() -> None:
    rows = [f"ann,1997-01-31,{n}.00,USD,wallet,order-{n % 2}\n" for n in range(1, 4)]
    report = run(write(HEADER + "".join(rows)))

    assert (report["accepted"], report["refused"].split()[0]) == ("2", "1")
    assert rejects()[0].startswith("4,reference_taken,")
    assert run(write(HEADER + "".join(rows)))["already imported"] == "2"


def test_rows_imported_differently_are_refused() -> None:
    path = write("customer_id,date,amount\nann,1997-01-31,11.77\n")
    run(path, "--set=client=Acme,currency=USD,method=wallet")

    report = run(path, "--set=client=Acme,currency=EUR,method=wallet", status=1)

    assert report["refused"].startswith("1")
    assert "another currency" in rejects()[0]
    assert Event.objects.count() == 2


def test_strict_import_with_refused_rows_exits_with_3() -> None:
    run(write(HEADER + "x\n"), "--strict", "--set=client=Acme", status=3)
    run(write(HEADER + ROW + "x\n"), "--strict", "--set=client=Acme", status=3)


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("", ["--set=client=Acme"], "The file is empty"),
        ("\n\n", ["--set=client=Acme"], "The file is empty"),
        (HEADER, [], "No column for client"),
        ("a,b\n", ["--set=client=A"], "No column for customer_id"),
        (HEADER, ["--map=amuont=x"], "--map amuont: there is no such field"),
        (HEADER, ["--set=amuont=x"], "--set amuont: there is no such field"),
        (HEADER, ["--map=amount=total"], "--map amount=total: the columns are customer_id"),
        (HEADER, ["--map=amount=x", "--set=amount=1"], "amount is in both --map and --set"),
        (
            "amount,amount\n",
            ["--set=client=A"],
            "2 columns 'amount'. No column for customer_id",
        ),
        (HEADER[:-1] + ",amount\n", ["--set=client=A"], "There are 2 columns 'amount'"),
        (HEADER, ["--map=amount"], "'amount' is not like NAME=VALUE"),
        (HEADER, ["--set=client=A,client=B"], "--set client: given twice"),
        (HEADER, ["--set=client=A", "--set=client=B"], "--set client: given twice"),
    ],
)
def test_import_refuses_invalid_options_in_one_line(
    text: str, options: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("import_payments", str(write(text)), *options)
    assert Event.objects.count() == 0


def test_set_and_map_accept_commas_and_repetition() -> None:
    path = write("customer_id,date,amount\nann,1997-01-31,1.00\n")
    run(path, "--set=client=Acme, Inc.,currency=USD", "--set=method=wallet")
    assert Client.objects.get().name == "Acme, Inc."


def test_import_refuses_a_path_that_is_not_a_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(CommandError, match="There is no file"):
            run(path)


def test_import_accepts_a_bom_and_other_line_ends() -> None:
    Path("past.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode())
    assert run(Path("past.csv"))["accepted"] == "1"
    assert run(write((HEADER + ROW).replace(",", ";")))["refused"] == "0"


def test_concurrent_imports_import_each_row_once() -> None:
    path = write(
        HEADER + "".join(f"c{n % 70},1997-01-31,{n}.00,USD,wallet,\n" for n in range(1, 1201))
    )

    def import_(number: int) -> int:
        report = run(path, "--set=client=Acme", f"--rejects=rejects-{number}")
        return int(report["accepted"].replace(",", ""))

    assert sum(at_once(2, import_)) == 1200
    assert Event.objects.count() == 2400
    project()
    assert DailyStatistics.objects.aggregate(sum=Sum("completed_volume"))["sum"] == 72060000


def test_killed_import_is_completed_by_a_rerun() -> None:
    rows = [f"c{n % 900},1997-01-31,{n}.00,USD,wallet,\n" for n in range(1, 3001)]
    path = write(HEADER + "".join(rows))
    for _ in range(2):
        killed_after(1_000, "import_payments", str(path), "--set=client=Acme")
    killed = Event.objects.count()
    assert 2_000 <= killed < 6_000
    report = run(path)
    done = killed // 2
    assert (report["already imported"], report["accepted"]) == (f"{done:,}", f"{3000 - done:,}")
    assert report["in the log"] == "3,000 USD 4,501,500.00"
    project()
    assert PaymentSummary.objects.count() == 3000


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b" ", b"", b"d\r"]), max_size=30))
def test_ordinals_count_equal_lines(contents: list[bytes]) -> None:
    path = Path("lines")
    path.write_bytes(b"\n".join([b"header", *contents]))
    read = list(lines.numbered(path))
    expected = [each.removesuffix(b"\r") for each in contents if each.strip()]
    assert [line.content for line in read] == expected
    for number, line in enumerate(read):
        assert line.ordinal == expected[: number + 1].count(line.content)


def test_reading_long_lines_takes_bounded_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "long"
    path.write_bytes(b"header\n" + b"x" * 50_000_000 + b"\nshort\n")
    tracemalloc.start()
    found = [(line.number, line.fault and line.fault.code) for line in lines.numbered(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(2, "line_too_long"), (3, None)]
    assert peak < 20_000_000


def test_header_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(LayoutError, match="not UTF-8"):
        Layout.of(b"\xff\xfe", FIELDS, {}, {})
