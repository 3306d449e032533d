"""Show a payment's history, and its state at any version or time."""

import re
import textwrap
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from msgspec import ValidationError

from payments import actors
from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.domain.payment import claims, snoozes
from payments.domain.payment.disputes import Dispute
from payments.domain.payment.events import ReviewAssigned
from payments.domain.payment.snoozes import Snooze
from payments.domain.payment.state import Payment, Review
from payments.events import replay
from payments.events.codec import UnknownEventType
from payments.events.reading import streams, timetravel
from readmodels import labels
from readmodels.queries import times


class Command(BaseCommand):
    help = "Show a payment's events with their actors, and the resulting state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py payment 0f7c...                                as it is now\n"
            "  ./manage.py payment 0f7c... --version 2                    after its second event\n"
            "  ./manage.py payment 0f7c... --at 2026-11-23T12:00:00Z      as the log knew it then\n"
            "  ./manage.py payment 0f7c... --occurred 2026-11-23          with the events up to then\n\n"
            "--at uses the time of recording. --occurred uses the time of the event, which is earlier for\n"
            "imports. Both stop before the first later event. Times without a zone are UTC.\n"
            "The state comes from the events only, not from a snapshot or a read model.\n"
            "Exit codes: 0 shown, 1 no such payment (yet), 2 wrong argument."
        )
        parser.add_argument("payment_id", type=payment_id_argument, metavar="ID")
        when = parser.add_mutually_exclusive_group()
        # Replaces Django's option, which prints the version of Django.
        when.add_argument(
            "--version", dest="at_version", type=_version, metavar="N", help="after N events"
        )
        when.add_argument("--at", dest="recorded", type=_time, metavar="T", help="recorded by T")
        when.add_argument("--occurred", type=_time, metavar="T", help="occurred by T")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def handle(self, *_: Any, payment_id: UUID, **options: Any) -> None:
        try:
            history = streams.history(PAYMENT_AGGREGATE, payment_id)
        except (UnknownEventType, ValidationError) as error:
            raise CommandError(str(error)) from error
        if not history:
            raise CommandError(f"There is no payment {payment_id}.")
        past = _past(history, **options)
        payment = replay.fold(PAYMENT_AGGREGATE, payment_id, (record.event for record in past))
        if payment is None:
            raise CommandError(
                f"There was no payment {payment_id} yet: it was recorded at"
                f" {_exactly(history[0].recorded_at)} and occurred at"
                f" {_exactly(history[0].event.at)}."
            )
        names = labels.people(
            [record.metadata.actor for record in past]
            + [record.event.to for record in past if isinstance(record.event, ReviewAssigned)]
            + [actors.client(payment.client_id)]
        )
        limit = options["recorded"] or options["occurred"]
        at = payment.updated_at if options["at_version"] else limit or timezone.now()
        width = get_terminal_size().columns if self.stdout.isatty() else None
        for line in (*_timeline(past, names, width), "", *_state(payment, names, at, width), ""):
            self.stdout.write(line)
        if later := len(history) - len(past):
            self.stdout.write(f"{later} later event{'s are' if later > 1 else ' is'} left out.")


def _past(
    history: Sequence[HistoricPaymentEvent],
    *,
    at_version: int | None,
    recorded: datetime | None,
    occurred: datetime | None,
    **_: Any,
) -> Sequence[HistoricPaymentEvent]:
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


def _timeline(
    past: Sequence[HistoricPaymentEvent], names: dict[str, str], width: int | None
) -> Iterator[str]:
    for record in past:
        title, details = labels.describe(record.event, revealed=True)
        metadata = record.metadata
        by = names.get(metadata.actor, metadata.actor)
        if isinstance(record.event, ReviewAssigned) and record.event.to is not None:
            details = (f"to {_who(record.event.to, names)}",)
        event = f"{title}: {'; '.join(details)}" if details else title
        yield from _wrapped(f"{record.version:>4}  ", event, width)
        for fact in (
            f"recorded {_exactly(record.recorded_at)}, position {record.position}, by {by}",
            f"occurred {_exactly(record.event.at)}",
            metadata.correlation_id and f"correlation {metadata.correlation_id}",
            metadata.cause and f"caused by {metadata.cause}",
        ):
            if fact:
                yield from _wrapped(" " * 8, fact, width)


def _state(
    payment: Payment, names: dict[str, str], at: datetime, width: int | None
) -> Iterator[str]:
    risk, lease = payment.risk, claims.unlapsed(payment.lease, at)
    snooze = snoozes.running(payment.snooze, at)
    first, review = payment.first_approval, payment.review
    for name, value in (
        ("Payment", f"{payment.payment_id}, version {payment.version}"),
        ("Status", labels.label(payment.status)),
        ("Amount", payment.amount.formatted()),
        ("Method", labels.paid_with(payment.method, payment.card)),
        ("Client", _who(actors.client(payment.client_id), names)),
        ("Customer", str(payment.customer_id)),
        ("Reference", payment.reference),
        ("Failure", payment.failure and labels.label(payment.failure)),
        ("Risk", risk and f"{risk.score}, {risk.band}"),
        ("Escalated", payment.escalated and "to senior reviewers"),
        ("Claimed", lease and f"by {_who(lease.reviewer, names)} until {_exactly(lease.until)}"),
        ("Snoozed", snooze and _snooze(snooze, names)),
        ("Assigned", payment.assigned_to and f"to {_who(payment.assigned_to, names)}"),
        ("First of two", first and _review(first, names)),
        ("Review", review and _review(review, names)),
        ("Refunded", payment.refunded and payment.refunded.formatted()),
        *(("Dispute", _dispute(each)) for each in payment.disputes),
    ):
        if value:
            yield from _wrapped(f" {name:<13}", value, width)


def _wrapped(beginning: str, text: str, width: int | None) -> list[str]:
    """Wrap the text between words, not in ids and times. Without a width, return one line."""
    if width is None:
        return [beginning + text]
    whole_times = re.sub(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)", "\\1\N{NO-BREAK SPACE}\\2", text)
    return [
        line.replace("\N{NO-BREAK SPACE}", " ")
        for line in textwrap.wrap(
            whole_times,
            width,
            initial_indent=beginning,
            subsequent_indent=" " * len(beginning),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _review(review: Review, names: dict[str, str]) -> str:
    decision = "Approved" if review.approved else "Rejected"
    who = _who(review.reviewer, names)
    return f"{decision}: {labels.label(review.reason)}, by {who} at {_exactly(review.at)}"


def _snooze(snooze: Snooze, names: dict[str, str]) -> str:
    who = _who(snooze.reviewer, names)
    return f"{labels.label(snooze.reason)}, by {who} until {_exactly(snooze.until)}"


def _dispute(dispute: Dispute) -> str:
    state = labels.label(dispute.outcome or dispute.status).lower()
    facts = [
        f"{dispute.disputed.formatted()} {labels.label(dispute.kind).lower()}",
        labels.label(dispute.reason).lower(),
    ]
    if dispute.lost is not None:
        facts.append(f"lost {dispute.lost.formatted()}")
    elif dispute.respond_by is not None:
        facts.append(f"respond by {_exactly(dispute.respond_by)}")
    return f"{dispute.dispute_id} {state}: {', '.join(facts)}"


def _who(actor: str, names: dict[str, str]) -> str:
    return f"{names[actor]} ({actor})" if actor in names else actor


def _exactly(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def payment_id_argument(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a payment id (a UUID).") from None


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a version: versions begin at 1.")
    return int(text)


def _time(text: str) -> datetime:
    try:
        return times.moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
