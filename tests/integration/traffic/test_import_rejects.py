"""The file of refused rows replaces no other file and can be corrected and imported."""

import csv
import os
from pathlib import Path

import pytest
from django.core.management import CommandError

from payments.events.models import Event
from tests.integration.traffic.test_import import HEADER, ROW, run, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def link_hard(path: Path) -> Path:
    os.link(path, "link")
    return Path("link")


def link_softly(path: Path) -> Path:
    Path("link").symlink_to(path)
    return Path("link")


@pytest.mark.parametrize(
    "named",
    [
        lambda path: path,
        lambda path: Path(f"./{path}"),
        lambda path: path.absolute(),
        lambda path: Path("folder/..") / path,
        link_hard,
        link_softly,
    ],
)
def test_refused_rows_never_replace_the_input(named: object) -> None:
    Path("folder").mkdir()
    path = write(HEADER + ROW + "x\n")
    before = path.read_bytes()
    assert callable(named)

    with pytest.raises(CommandError, match="is the file to import"):
        run(path, "--set=client=Acme", f"--rejects={named(path)}")

    assert path.read_bytes() == before
    assert Event.objects.count() == 0


def test_refused_rows_never_replace_a_file_of_other_content() -> None:
    path, other = write(HEADER + "x\n"), Path("letters.csv")
    other.write_text("name,address\n")

    with pytest.raises(CommandError, match="letters.csv exists and does not contain refused rows"):
        run(path, "--set=client=Acme", f"--rejects={other}")

    assert other.read_text() == "name,address\n"


@pytest.mark.parametrize(
    "content", ["", "line,code,reason,content\n", "refused_line,refused_code\n"]
)
def test_refused_rows_of_an_earlier_run_are_replaced(content: str) -> None:
    refused = Path("refused")
    refused.write_text(content)

    run(write(HEADER + "x\n"), "--set=client=Acme", "--rejects=refused", status=1)
    assert refused.read_text().splitlines()[1].startswith("2,wrong_width,")

    run(write(HEADER + ROW), "--set=client=Acme", "--rejects=refused")
    assert not refused.exists()


def test_refused_rows_need_a_file_in_a_folder() -> None:
    path = write(HEADER + ROW + "x\n")
    os.mkfifo("pipe")
    Path("folder").mkdir()
    Path("empty").touch()
    Path("link").symlink_to("empty")
    Path("dangling").symlink_to("missing")

    for name in ("pipe", "folder", "link", "dangling"):
        with pytest.raises(CommandError, match="is a link, a folder or a device"):
            run(path, "--set=client=Acme", f"--rejects={name}")
    with pytest.raises(CommandError, match="missing/refused: No such file"):
        run(path, "--set=client=Acme", "--rejects=missing/refused")

    assert Path("pipe").is_fifo()
    assert Path("link").is_symlink()
    assert Path("dangling").is_symlink()
    assert Event.objects.count() == 0


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_corrected_rows_are_imported_with_the_same_options(delimiter: str) -> None:
    bad = 'ann,yesterday,11.77,USD,wallet,"order; 1, a\nb"\n'
    path = write((HEADER + bad + ROW + ROW.replace("USD", "usd")).replace(",", delimiter))
    run(path, "--set=client=Acme", "--rejects=refused.csv")
    refused = Path("refused.csv")
    with refused.open(newline="") as file:
        header, first, second = csv.reader(file, delimiter=delimiter)
    assert header[:4] == ["refused_line", "refused_code", "refused_reason", "customer_id"]
    assert (first[:2], second[:2]) == (["2", "unknown_date"], ["5", "unknown_currency"])
    assert first[3:] == ["ann", "yesterday", "11.77", "USD", "wallet", f"order; 1{delimiter} a\nb"]

    text = refused.read_bytes().decode().replace("yesterday", "1997-01-31").replace("\n", " ")
    text = text.replace("\r ", "\r\n").replace("usd", "USD").replace("\t a", " a")
    refused.write_bytes(text.encode())
    report = run(refused, "--set=client=Acme", "--rejects=again.csv")

    assert (report["accepted"], report["refused"]) == ("2", "0")


def test_rows_that_are_refused_again_keep_the_columns() -> None:
    run(write(HEADER + ROW.replace("USD", "usd")), "--set=client=Acme", "--rejects=one", status=1)
    run(Path("one"), "--set=client=Acme", "--rejects=two", status=1)

    assert Path("two").read_text().splitlines()[0] == Path("one").read_text().splitlines()[0]
    assert Path("two").read_text().count("unknown_currency") == 1


def test_refused_rows_of_whitespace_separated_columns_are_csv() -> None:
    path = write("customer_id date amount\nann 1997-01-31 1.005\n")
    options = "--set=client=Acme,currency=USD,method=wallet"
    run(path, options, "--rejects=refused", status=1)

    Path("refused").write_text(Path("refused").read_text().replace(",1.005", ",1.05"))

    assert run(Path("refused"), options, "--rejects=again")["in the log"] == "1 USD 1.05"
