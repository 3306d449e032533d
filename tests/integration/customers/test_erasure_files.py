"""An erasure removes the customer from CSV files and keeps everything else in them."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command

from payments.customers import csv_files, mentions, notes
from payments.customers.models import Note
from payments.identity.models import Session
from payments.identity.session_store import SessionStore
from tests.support.api import ApiClient
from tests.support.erasing import NAME, REFERENCE, found, run
from tests.support.examples import NOON, OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_erase_files_replaces_only_cells_that_mention_the_customer(
    payment: str, tmp_path: Path, line_end: str
) -> None:
    refused, export = tmp_path / "old.csv.rejected.csv", tmp_path / "list.csv"
    refused.write_bytes(
        line_end.join(
            (
                "line,code,reason,content",
                f'7,unknown_date,"x is no date","Acme,{REFERENCE},5.00"',
                f'8,unknown_date,"x is no date","Acme,{REFERENCE}-2,5.00"',
                "9,not_utf8,The line is not UTF-8 text.,\udcff",
                "",
            )
        ).encode("utf-8", "surrogateescape")
    )
    export.write_bytes(f"customer;name;amount{line_end}1;{NAME.upper()};5{line_end}".encode())
    export.chmod(0o640)
    untouched = tmp_path / "other.csv"
    untouched.write_text("a,b\n'1',\"2\"\n")
    before = untouched.stat().st_ino

    output = run("--files", str(refused), str(export), str(untouched))

    assert f"      1 cells of {refused}\n" in output
    assert f"      1 cells of {export}\n" in output
    assert f"      0 cells of {untouched}\n" in output
    assert refused.read_bytes().decode("utf-8", "surrogateescape").split(line_end) == [
        "line,code,reason,content",
        "7,unknown_date,x is no date,erased",
        f'8,unknown_date,"x is no date","Acme,{REFERENCE}-2,5.00"',
        "9,not_utf8,The line is not UTF-8 text.,\udcff",
        "",
    ]
    assert export.read_bytes().decode() == f"customer;name;amount{line_end}1;erased;5{line_end}"
    assert export.stat().st_mode & 0o777 == 0o640
    assert untouched.stat().st_ino == before
    assert set(tmp_path.iterdir()) == {refused, export, untouched}


def test_short_reference_is_searched_in_cells_only(acme: ApiClient, tmp_path: Path) -> None:
    acme.submit(customer_id="7")
    session = SessionStore()
    session["_auth_user_id"] = "7"
    session.save()
    path = tmp_path / "list.csv"
    path.write_text("customer_id,amount,line\n7,7,7\n17,7,7\n")
    notes.write(uuid4(), "7 payments", author=OPERATOR, at=NOON).save()
    arguments = ("Acme", "7", "--reason", "Case 7", "--yes", "--files", str(path))
    out = StringIO()

    call_command("erase_customer", *arguments, stdout=out)

    assert "Too short to search for in texts: reference.\n" in out.getvalue()
    assert "      - other review notes that mention the customer: not searched\n" in out.getvalue()
    assert "      - sessions: not searched\n" in out.getvalue()
    assert "Searched for in texts" not in out.getvalue()
    assert Note.objects.count() == 1
    assert path.read_text() == "customer_id,amount,line\nerased,7,7\n17,7,7\n"
    assert Session.objects.count() == 1


def make(name: str, content: bytes) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return made


def test_erase_files_refuses_an_export_of_events(payment: str, tmp_path: Path) -> None:
    path = make("log.ndjson", b'{"position":1}\n')(tmp_path)
    assert "An export of events holds nothing personal" in run("--files", str(path), status=2)


def test_erase_files_keeps_a_file_that_is_not_csv(tmp_path: Path) -> None:
    path = make("odd.csv", b'a,b\n"' + b"x" * 200_000)(tmp_path)
    with pytest.raises(csv_files.FileError, match="cannot be read as CSV"):
        csv_files.erase(path, mentions.finder({"xyz"}))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_erase_files_finds_names_in_encodings_of_spreadsheets(
    tmp_path: Path, encoding: str
) -> None:
    path = make("list.csv", "name;note\nJürgen Groß;1\nJürgen Grossmann;ü\n".encode(encoding))(
        tmp_path
    )

    assert csv_files.erase(path, mentions.finder({"JÜRGEN GROSS"})) == 1
    assert path.read_text(encoding=encoding) == "name;note\nerased;1\nJürgen Grossmann;ü\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-le"])
def test_erase_files_refuses_other_encodings_before_erasing(
    payment: str, tmp_path: Path, encoding: str
) -> None:
    path = make("list.csv", f"name;note\n{NAME};1\n".encode(encoding))(tmp_path)
    assert "it is not UTF-8" in run("--files", str(path), status=2)
    assert found()
