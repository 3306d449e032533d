"""Shows what happened to a payment, and what it was at any version or time."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TextIO, cast
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from msgspec import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from payments import actors
from payments.domain.payment import Payment, Review, replay
from payments.events import store, timetravel
from payments.events.codec import UnknownEventType
from payments.events.store import RecordedEvent
from readmodels import words
from readmodels.api import parameters

_WIDE: Final = 400


class Command(BaseCommand):
    help = (
        "Show a payment's history, event by event with who caused it, and the state that follows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  manage.py payment 0f7c...                                as it is now\n"
            "  manage.py payment 0f7c... --version 2                    after its second event\n"
            "  manage.py payment 0f7c... --at 2026-11-23T12:00:00Z      as the log knew it then\n"
            "  manage.py payment 0f7c... --occurred 2026-11-23          as it had happened by then\n\n"
            "--at goes by when events were recorded, --occurred by when they happened, which an import\n"
            "tells later. Both end before the first event that is later, times without a zone are UTC.\n"
            "The state is always folded from the events: no snapshot, no read model.\n"
            "Exit codes: 0 shown, 1 there was no such payment (yet), 2 an argument is wrong."
        )
        parser.add_argument("payment_id", type=payment_id_argument, metavar="ID")
        when = parser.add_mutually_exclusive_group()
        # Django's own --version tells Django's.
        when.add_argument(
            "--version", dest="at_version", type=_version, metavar="N", help="after N events"
        )
        when.add_argument("--at", dest="recorded", type=_time, metavar="T", help="recorded by T")
        when.add_argument("--occurred", type=_time, metavar="T", help="occurred by T")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def handle(self, *_: Any, payment_id: UUID, **options: Any) -> None:
        try:
            history = store.history(payment_id)
        except (UnknownEventType, ValidationError) as error:
            raise CommandError(str(error)) from error
        if not history:
            raise CommandError(f"There is no payment {payment_id}.")
        past = _past(history, **options)
        payment = replay(payment_id, (record.event for record in past))
        if payment is None:
            raise CommandError(
                f"There was no payment {payment_id} yet: it was recorded at"
                f" {_exactly(history[0].recorded_at)} and occurred at"
                f" {_exactly(history[0].event.at)}, both UTC."
            )
        names = words.people(
            [record.metadata.actor for record in past] + [actors.client(payment.client_id)]
        )
        # What a client wrote is no markup.
        console = Console(file=cast("TextIO", self.stdout), markup=False, highlight=False)
        if not console.is_terminal:
            console.width = _WIDE  # whatever reads it wants whole lines
        console.print(_timeline(past, names))
        asked = options["recorded"] or options["occurred"]
        at = payment.updated_at if options["at_version"] else asked or timezone.now()
        console.print(_state(payment, names, at))
        if later := len(history) - len(past):
            console.print(f"{later} later event{'s are' if later > 1 else ' is'} left out.")


def _past(
    history: Sequence[RecordedEvent],
    *,
    at_version: int | None,
    recorded: datetime | None,
    occurred: datetime | None,
    **_: Any,
) -> Sequence[RecordedEvent]:
    if at_version is not None:
        try:
            return timetravel.at_version(history, at_version)
        except timetravel.NoSuchVersion as error:
            raise CommandError(str(error)) from error
    if recorded is not None:
        return timetravel.recorded_by(history, recorded)
    if occurred is not None:
        return timetravel.occurred_by(history, occurred)
    return history


def _timeline(past: Sequence[RecordedEvent], names: dict[str, str]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("version", "position"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("recorded (UTC)", "occurred (UTC)", "what happened", "by", "correlation"):
        table.add_column(column, overflow="fold")
    table.add_column("caused by", overflow="fold")
    for record in past:
        title, details = words.happened(record.event)
        metadata = record.metadata
        table.add_row(
            str(record.version),
            str(record.position),
            _exactly(record.recorded_at),
            _exactly(record.event.at),
            f"{title}: {'; '.join(details)}" if details else title,
            names.get(metadata.actor, metadata.actor),
            metadata.correlation_id or "",
            metadata.cause or "",
        )
    return table


def _state(payment: Payment, names: dict[str, str], at: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    risk, lease = payment.risk, payment.lease_at(at)
    first, review = payment.first_approval, payment.review
    for name, value in (
        ("Payment", f"{payment.payment_id}, version {payment.version}"),
        ("Status", words.plain(payment.status)),
        ("Amount", payment.amount.formatted()),
        ("Method", words.paid_with(payment.method, payment.card)),
        ("Client", _who(actors.client(payment.client_id), names)),
        ("Customer", str(payment.customer_id)),
        ("Reference", payment.reference),
        ("Failure", payment.failure and words.plain(payment.failure)),
        ("Risk", risk and f"{risk.score}, {risk.band}"),
        ("Escalated", payment.escalated and "to senior reviewers"),
        (
            "Claimed",
            lease and f"by {_who(lease.reviewer, names)} until {_exactly(lease.until)} UTC",
        ),
        ("First of two", first and _review(first, names)),
        ("Review", review and _review(review, names)),
    ):
        if value:
            table.add_row(f" {name}", value)
    return table


def _review(review: Review, names: dict[str, str]) -> str:
    decision = "Approved" if review.approved else "Rejected"
    who = _who(review.reviewer, names)
    return f"{decision}: {words.plain(review.reason)}, by {who} at {_exactly(review.at)} UTC"


def _who(actor: str, names: dict[str, str]) -> str:
    return f"{names[actor]} ({actor})" if actor in names else actor


def _exactly(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def payment_id_argument(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no payment id (a UUID).") from None


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ArgumentTypeError(f"{text!r} is no version: they count from 1.")
    return int(text)


def _time(text: str) -> datetime:
    try:
        return parameters.moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
