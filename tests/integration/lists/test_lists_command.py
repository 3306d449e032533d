"""`manage.py lists`: its actions and refusals, files line by line, and the check of the tables."""

from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from payments.customers.models import Note
from payments.domain.list_items import Item
from payments.events.models import Event
from payments.lists import refilling
from payments.lists.models import Entry, RiskList
from tests.support import commands
from tests.support.lists import STOLEN, add, archive, create, remove

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOTE = ("--note", "Case 12")


def run(*arguments: str) -> str:
    return commands.run("lists", *arguments)[0]


def test_list_is_created_filled_shown_and_archived() -> None:
    created = run("create", "sanctioned", "--type", "country", "--comment", "Sanctions of 2026")
    assert created == "Created sanctioned."
    assert run("add", "sanctioned", "kp", "IR", "ir", *NOTE, "--expires", "2099-01-02") == (
        "Added 2 to sanctioned."
    )
    shown = run("show", "sanctioned")
    assert "Comment   Sanctions of 2026" in shown
    assert "Entries   2, also expired ones" in shown
    assert "IR until 2099-01-02 00:00 UTC by system:manage.py:" in shown
    assert shown.endswith(": Case 12")
    assert "KP" not in run("show", "sanctioned", "--value", "ir")
    assert run("remove", "sanctioned", "KP", *NOTE) == "Removed 1 entry from sanctioned."
    added = Event.objects.get(event_type="list.entry_added", data__value="IR").position
    assert run("show", "sanctioned", "--as-of", str(added)).split("\n") == [
        "KP until 2099-01-02 00:00 UTC",
        "IR until 2099-01-02 00:00 UTC",
    ]
    assert run("archive", "sanctioned", *NOTE) == "Archived sanctioned."
    assert run("list").splitlines()[-1].split()[:4] == ["sanctioned", "country", "0", "5"]
    Note.objects.all().delete()
    assert "Comment   erased" in run("show", "sanctioned")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("create", STOLEN, "--type", "card", "--comment", "x"), 1, "exists already"),
        (("create", "Stolen", "--type", "card", "--comment", "x"), 1, "lower-case letter"),
        (("create", "new", "--type", "card", "--comment", " "), 2, "--comment: The text must not"),
        (("add", STOLEN, "DE", *NOTE), 1, "It is on list 'stolen-cards' already"),
        (("add", STOLEN, "Germany", *NOTE), 2, "VALUE: A country is"),
        (("add", STOLEN, "FR", "--note", "4242 4242 4242 4242"), 2, "--note: The text seems"),
        (("add", STOLEN, "FR", *NOTE, "--expires", "2020-01-01"), 1, "has passed"),
        (("add", STOLEN, *NOTE), 2, "Give values, or --file."),
        (("add", STOLEN, "FR", "--file", "x", *NOTE), 2, "Give values, or --file."),
        (("add", STOLEN, "--file", "/nowhere", *NOTE), 1, "/nowhere cannot be read: No such file"),
        (("add", "unknown", "FR", *NOTE), 1, "No list named 'unknown'"),
        (("remove", STOLEN, "FR", *NOTE), 1, "It is not on list"),
        (("show", "unknown"), 1, "`./manage.py lists list` shows all."),
        (("show", STOLEN, "--value", "FR"), 1, "It is not on list"),
    ],
)
def test_refusal_names_what_is_wrong(arguments: tuple[str, ...], status: int, message: str) -> None:
    create()
    add("DE")

    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert message in str(refused.value)
    assert refused.value.returncode == status
    assert Entry.objects.count() == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "4242424242424242"),
        ("add", "4242424242424242", "DE", *NOTE),
        ("create", "a4242424242424242", "--type", "card", "--comment", "x"),
        ("add", STOLEN, "4242424242424242", *NOTE),
        ("remove", STOLEN, "4242424242424242", *NOTE),
    ],
)
def test_typed_card_number_is_not_repeated(arguments: tuple[str, ...]) -> None:
    create()

    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert "4242" not in str(refused.value)


def test_file_is_added_line_by_line_and_names_refused_lines(tmp_path: Path) -> None:
    create(item=Item.REFERENCE_PREFIX)
    add("ORD-7")
    file = tmp_path / "prefixes.txt"
    lines = ["ORD-1", "x", "", "ORD-7", " ORD-1 ", "ORD-2"]
    file.write_text("\ufeff" + "\n".join([*lines, *(f"INV-{number}" for number in range(1_000))]))

    with pytest.raises(CommandError, match="3 lines were refused") as refused:
        run("add", STOLEN, "--file", str(file), *NOTE)

    assert refused.value.returncode == 1
    assert RiskList.objects.get().entries == 1_003
    assert Note.objects.count() == 5  # the comment, one entry, and three batches
    assert list(refilling.check()) == []


def test_standard_input_that_is_not_utf_8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    create()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"DE\n\xff\n"), encoding="utf-8"))

    with pytest.raises(CommandError, match="The standard input is not a text in UTF-8"):
        run("add", STOLEN, "--file", "-", *NOTE)


def test_file_names_each_refused_line(tmp_path: Path, capsys: Any) -> None:
    create()
    file = tmp_path / "countries.txt"
    file.write_text("DE\nGermany\nDE\n4242424242424242\n")

    with pytest.raises(CommandError, match="3 lines were refused"):
        call_command("lists", "add", STOLEN, "--file", str(file), *NOTE)

    errors = capsys.readouterr().err
    assert "line 2: A country is its ISO 3166-1 code of two letters, such as DE." in errors
    assert "line 3: It repeats line 1." in errors
    assert "line 4: A country is" in errors
    assert "4242" not in errors


def test_check_names_differences_and_refill_removes_them() -> None:
    create()
    add("DE", "FR", "IT")
    remove("FR")
    add("FR")
    archive()
    before = list(Entry.objects.order_by("pk").values()), list(RiskList.objects.values())
    assert run("check") == "The tables of 1 lists match the log."
    first, second, *_ = Entry.objects.order_by("pk")
    Entry.objects.filter(pk=first.pk).update(key="country:AT", to_position=None)
    second.delete()
    RiskList.objects.update(entries=7)

    with pytest.raises(CommandError, match="differ from the log in 3 rows"):
        run("check")

    assert run("refill") == "Filled 1 lists again from the log."
    assert run("check") == "The tables of 1 lists match the log."
    assert (list(Entry.objects.order_by("pk").values()), list(RiskList.objects.values())) == before


def test_check_finds_missing_and_unexplained_lists() -> None:
    create()
    RiskList.objects.update(id="00000000-0000-0000-0000-000000000001", name="other")

    found = [(each.list_name, each.what) for each in refilling.check()]

    assert found == [(STOLEN, "the list is missing"), ("other", "the log has no such list")]


def test_refill_of_many_entries_reads_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refilling, "_PAGE_SIZE", 2)
    create(item=Item.REFERENCE_PREFIX)
    add(*(f"ORD-{number}" for number in range(7)))
    remove("ORD-3")
    before = list(Entry.objects.order_by("pk").values())

    refilling.refill()

    assert list(Entry.objects.order_by("pk").values()) == before
