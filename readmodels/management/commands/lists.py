"""Show lists, create and archive them, add and remove entries, check the tables."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.application import list_files, lists
from payments.application.lists import Author
from payments.customers.models import Note
from payments.domain.list_items import InvalidItem, Item, ListName, checked, key
from payments.domain.lists import ListRefused, UnknownList, id_of
from payments.domain.text import TextError
from payments.lists import entries, refilling
from payments.lists.models import Entry, RiskList
from payments.printing import print_table
from payments.progress import progress_bar
from readmodels.queries import times

_MOST_SHOWN: Final = 20
_MOST_REFUSED: Final = 20


class Command(BaseCommand):
    help = (
        "Show the lists that risk rules use. Create or archive one, add or remove entries, and compare the"
        " tables with the log."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py lists list\n"
            "  ./manage.py lists create sanctioned --type country --comment 'Sanctions of 2026'\n"
            "  ./manage.py lists add sanctioned KP IR --note 'Case 12'\n"
            "  ./manage.py lists add mules --file mules.txt --note 'Case 13' --expires 2027-03-01\n"
            "  ./manage.py lists show mules                         the newest entries\n"
            "  ./manage.py lists show mules --value ORD-2026-       whether it is on the list\n"
            "  ./manage.py lists show mules --as-of 4711            all entries at that log position\n"
            "  ./manage.py lists remove sanctioned IR --note 'Lifted'\n"
            "  ./manage.py lists archive mules --note 'Not used any more'\n"
            "  ./manage.py lists check                              compare the tables with the log\n"
            "  ./manage.py lists refill                             fill them again from it\n\n"
            "A value is a country's code of two letters, a prefix of payment references, a customer's\n"
            "id (./manage.py customer show prints it) or a card's fingerprint, by the type of the list.\n"
            "A change takes effect with the next payment. A file has one value per line, and - is\n"
            "standard input. Refused lines are printed, the others are added. Times without a zone are UTC.\n"
            "Exit codes: 0 done, 1 refused or different (with the reason), 2 wrong argument."
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        actions.add_parser("list", help="all lists")
        create = actions.add_parser("create", help="create an empty list")
        create.add_argument("name", metavar="NAME", help="permanent: lower case, digits, - and _")
        create.add_argument(
            "--type", required=True, choices=[each.value for each in Item], help="permanent"
        )
        create.add_argument("--comment", required=True, help="shown to staff, can be erased")
        add = actions.add_parser("add", help="add values")
        add.add_argument("name", metavar="NAME")
        add.add_argument("values", nargs="*", metavar="VALUE")
        add.add_argument("--file", metavar="FILE", help="one value per line, - for standard input")
        add.add_argument("--expires", type=_time, metavar="TIME", help="default: never")
        remove = actions.add_parser("remove", help="remove a value")
        remove.add_argument("name", metavar="NAME")
        remove.add_argument("value", metavar="VALUE")
        archive = actions.add_parser("archive", help="archive a list that no policy uses")
        archive.add_argument("name", metavar="NAME")
        for each in (add, remove, archive):
            each.add_argument("--note", required=True, help="shown to staff, can be erased")
        show = actions.add_parser("show", help="a list and its newest entries")
        show.add_argument("name", metavar="NAME")
        shown = show.add_mutually_exclusive_group()
        shown.add_argument("--value", metavar="VALUE", help="only the entry of this value")
        shown.add_argument(
            "--as-of", type=int, metavar="POSITION", help="all entries at that position of the log"
        )
        actions.add_parser("check", help="compare the tables with the log")
        actions.add_parser("refill", help="fill the tables again from the log")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            self._handle(action, options)
        except ListRefused as error:
            raise CommandError(str(error)) from error
        except InvalidItem as error:
            raise CommandError(f"VALUE: {error}", returncode=2) from error
        except TextError as error:
            field = "--comment" if action == "create" else "--note"
            raise CommandError(f"{field}: {error}", returncode=2) from error

    def _handle(self, action: str, options: dict[str, Any]) -> None:
        name = ListName(options.get("name", ""))
        match action:
            case "list":
                self._list()
            case "create":
                lists.create(name, Item(options["type"]), _author(options["comment"]))
                self.stdout.write(f"Created {name}.")
            case "add":
                self._add(name, options)
            case "remove":
                lists.remove(name, options["value"], _author(options["note"]))
                self.stdout.write(f"Removed 1 entry from {name}.")
            case "archive":
                lists.archive(name, _author(options["note"]))
                self.stdout.write(f"Archived {name}.")
            case "show":
                self._show(_found(name), options)
            case "check":
                self._check()
            case _:
                self.stdout.write(f"Filled {refilling.refill()} lists again from the log.")

    def _list(self) -> None:
        table = Table(box=SIMPLE_HEAD)
        for column in ("list", "type", "entries", "version", "created (UTC)", "state"):
            table.add_column(column, overflow="fold")
        for each in RiskList.objects.order_by("name"):
            state = "archived" if each.archived_at else "in use"
            created = f"{each.created_at:%Y-%m-%d %H:%M}"
            table.add_row(
                each.name, each.item, f"{each.entries:,}", str(each.version), created, state
            )
        print_table(table, self.stdout)

    def _add(self, name: ListName, options: dict[str, Any]) -> None:
        author, expires_at = _author(options["note"]), options["expires"]
        values, file = options["values"], options["file"]
        if bool(values) == bool(file):
            raise CommandError("Give values, or --file.", returncode=2)
        item = Item(_found(name).item)
        if values:
            values = list(dict.fromkeys(checked(item, each) for each in values))
            lists.add(name, values, author, expires_at=expires_at)
            self.stdout.write(f"Added {len(values)} to {name}.")
            return
        with _lines(file) as (lines, total), progress_bar("Lines", total=total) as progress:
            added, refused = 0, 0
            for batch in list_files.add(name, item, lines, author, expires_at=expires_at):
                added += batch.added
                for each in batch.refused:
                    refused += 1
                    if refused <= _MOST_REFUSED:
                        self.stderr.write(f"line {each.line}: {each.reason}")
                progress(batch.lines)
        self.stdout.write(f"Added {added:,} to {name}.")
        if refused:
            raise CommandError(f"{refused:,} lines were refused. The first are listed above.")

    def _show(self, found: RiskList, options: dict[str, Any]) -> None:
        if (position := options["as_of"]) is not None:
            for each in entries.contents(ListName(found.name), as_of=position):
                self.stdout.write(f"{each.key.partition(':')[2]}{_until(each.expires_at)}")
            return
        rows = Entry.objects.filter(list=found, to_position=None)
        if (value := options["value"]) is not None:
            item = Item(found.item)
            rows = rows.filter(key=key(item, checked(item, value)))
            if not rows.exists():
                raise CommandError(f"It is not on list {found.name!r}.")
        comment = Note.objects.filter(pk=found.comment_id).first()
        for label, text in (
            ("List", found.name),
            ("Type", found.item),
            ("Comment", comment.text if comment else "erased"),
            ("Entries", f"{found.entries:,}, also expired ones"),
            ("Version", str(found.version)),
            ("State", "archived" if found.archived_at else "in use"),
        ):
            self.stdout.write(f"{label:<10}{text}")
        newest = list(rows.order_by("-from_position")[:_MOST_SHOWN])
        notes = Note.objects.in_bulk([each.note_id for each in newest])
        for entry in newest:
            note = notes[entry.note_id].text if entry.note_id in notes else "note erased"
            self.stdout.write(
                f"{entry.added_at:%Y-%m-%d %H:%M} UTC {entry.value}{_until(entry.expires_at)}"
                f" by {entry.added_by}: {note}"
            )

    def _check(self) -> None:
        different = 0
        for each in refilling.check():
            different += 1
            if different <= _MOST_REFUSED:
                self.stderr.write(f"{each.list_name}: {each.what}")
        if different:
            raise CommandError(
                f"The tables differ from the log in {different:,} rows. `./manage.py lists refill` fills"
                " them again."
            )
        self.stdout.write(f"The tables of {RiskList.objects.count()} lists match the log.")


def _author(note: str) -> Author:
    return Author(by=actors.operator(), at=timezone.now(), note=note)


def _found(name: ListName) -> RiskList:
    found = RiskList.objects.filter(pk=id_of(name)).first()
    if found is None:
        raise CommandError(f"{UnknownList(list_name=name)} `./manage.py lists list` shows all.")
    return found


def _until(expires_at: datetime | None) -> str:
    return "" if expires_at is None else f" until {expires_at:%Y-%m-%d %H:%M} UTC"


def _time(text: str) -> datetime:
    try:
        return times.moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


@contextmanager
def _lines(file: str) -> Iterator[tuple[IO[str], int | None]]:
    """Yield the lines of the file and their number, which is None for standard input."""
    try:
        if file == "-":
            yield sys.stdin, None
            return
        with Path(file).open(encoding="utf-8-sig") as counted:
            total = sum(1 for _ in counted)
        with Path(file).open(encoding="utf-8-sig") as lines:
            yield lines, total
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        file = "The standard input" if file == "-" else file
        raise CommandError(f"{file} is not a text in UTF-8.") from error
