"""Show and manage webhook endpoints."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import BooleanField, CharField, ExpressionWrapper, Q
from django.db.models.functions import Cast
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.clients.models import Client
from payments.domain.card_numbers import holds_card_number
from payments.domain.text import TextError, checked_text, searched
from payments.printing import print_table
from readmodels.feed.events import EVENT_TYPES
from readmodels.feed.reading import PositionAhead
from readmodels.queries import times
from readmodels.webhooks import addresses, endpoints, keys
from readmodels.webhooks.lag import NONE, Lag, measure
from readmodels.webhooks.models import Endpoint, State

_SHOWN: Final = 8  # digits of an id, enough to distinguish endpoints
_MOST_LISTED: Final = 100
_ATTEMPTS: Final = 10
_REFUSALS: Final = (
    endpoints.EndpointGone,
    PositionAhead,
    endpoints.TooManyEndpoints,
    endpoints.UrlTaken,
    keys.NotConfigured,
)


class Command(BaseCommand):
    help = (
        "Show the webhook endpoints of clients. Create, pause, resume, replay, test or delete one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py webhooks list --client 'Acme Ltd'\n"
            "  ./manage.py webhooks show 0d6f                             with its last attempts\n"
            "  ./manage.py webhooks create --client 'Acme Ltd' https://example.com/hook\n"
            "  ./manage.py webhooks create --client 'Acme Ltd' https://example.com/hook \\\n"
            "      --type payment.processed --type payment.rejected --thin\n"
            "  ./manage.py webhooks replay 0d6f --since 2026-11-23T12:00:00Z\n"
            "  ./manage.py webhooks replay 0d6f --after 4711\n"
            "  ./manage.py webhooks disable 0d6f --reason 'Asked by the client'\n"
            "  ./manage.py webhooks resume 0d6f                           send what it missed\n"
            "  ./manage.py webhooks rotate 0d6f                           print a new secret\n"
            "  ./manage.py webhooks delete 0d6f --yes                     with its attempts\n\n"
            "ID is an endpoint's id or its first digits. CLIENT is a client's name or id.\n"
            "`create` and `rotate` print the secret alone on standard output. It is shown once.\n"
            "Times without a zone are UTC. The lag counts events among the next 10,000 of the client.\n"
            "Exit codes: 0 done, 1 refused (with the reason), 2 wrong argument."
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        listed = actions.add_parser("list", help="all endpoints, those in trouble first")
        listed.add_argument("--client", metavar="CLIENT", help="only those of this client")
        create = actions.add_parser("create", help="create an endpoint and print its secret")
        create.add_argument("url", metavar="URL")
        create.add_argument("--client", metavar="CLIENT", required=True)
        create.add_argument(
            "--type",
            action="append",
            choices=list(EVENT_TYPES),
            metavar="TYPE",
            help=f"can be repeated; default: all. {', '.join(EVENT_TYPES)}",
        )
        create.add_argument("--thin", action="store_true", help="send only the payment's id")
        create.add_argument("--description", default="", help="shown to the client")
        for name, explanation in (
            ("show", "its settings, its lag and its last attempts"),
            ("replay", "send earlier events again"),
            ("pause", "send nothing until it is resumed"),
            ("resume", "send what it missed, and try failed deliveries at once"),
            ("disable", "send nothing, and show the client why"),
            ("test", "send a test message"),
            ("rotate", "print a new secret; the old one signs too for 24 hours"),
            ("delete", "delete it with its attempts; pause it instead to keep its events"),
        ):
            action = actions.add_parser(name, help=explanation)
            action.add_argument("endpoint", metavar="ID")
            if name == "replay":
                begin = action.add_mutually_exclusive_group(required=True)
                begin.add_argument("--after", type=_position, metavar="POSITION")
                begin.add_argument("--since", type=_time, metavar="TIME")
            elif name == "disable":
                action.add_argument("--reason", required=True, help="shown to the client")
            elif name == "delete":
                action.add_argument("--yes", action="store_true", required=True, help="confirm it")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            match action:
                case "list":
                    self._list(options["client"])
                case "create":
                    self._create(options)
                case _:
                    self._manage(action, _find(options["endpoint"]), options)
        except addresses.InvalidUrl as error:
            raise CommandError(f"URL: {error}", returncode=2) from error
        except _REFUSALS as error:
            raise CommandError(str(error) or "The endpoint was deleted.") from error

    def _manage(self, action: str, endpoint: Endpoint, options: dict[str, Any]) -> None:
        at, by = timezone.now(), actors.operator()
        match action:
            case "show":
                self._show(endpoint)
            case "replay":
                self._replay(endpoint, options["after"], options["since"], at, by)
            case "pause":
                endpoints.pause(endpoint, at=at, by=by)
                self._say(endpoint, "is paused. Its events are kept. Resume it with", "resume")
            case "resume":
                endpoints.resume(endpoint, at=at, by=by)
                self._say(endpoint, "is active. Follow its deliveries with", "show")
            case "disable":
                reason = _text(options["reason"], "--reason")
                endpoints.disable(endpoint, reason=reason, at=at, by=by)
                self._say(endpoint, "is disabled. Its events are kept. Resume it with", "resume")
            case "test":
                message_id = endpoints.request_test(endpoint, at=at, by=by)
                self._say(
                    endpoint, f"will get the message {message_id}. See the outcome with", "show"
                )
            case "delete":
                endpoints.delete(endpoint, at=at, by=by)
                self.stdout.write(f"{_named(endpoint)} is deleted.")
            case _:
                secret = endpoints.rotate_secret(endpoint, at=at, by=by)
                self.stderr.write(
                    f"The old secret of {_named(endpoint)} signs until"
                    f" {_exactly(endpoint.old_secret_until)}. {_STORE}"
                )
                self.stdout.write(secret)

    def _list(self, client: str | None) -> None:
        rows = Endpoint.objects.select_related("client")
        if client is not None:
            rows = rows.filter(client=_client(client))
        trouble = Q(state=State.DISABLED) | Q(state=State.ACTIVE, failures__gt=0)
        rows = rows.alias(works=ExpressionWrapper(~trouble, BooleanField()))
        found = list(rows.order_by("works", "client__name", "number")[: _MOST_LISTED + 1])
        if not found:
            self.stdout.write(
                "There is no endpoint. Create one: ./manage.py webhooks create --client CLIENT URL"
            )
            return
        lags = measure(found)
        table = Table(box=SIMPLE_HEAD)
        for column in ("endpoint", "client", "url", "state"):
            table.add_column(column, no_wrap=column == "endpoint", overflow="fold")
        for column in ("position", "events behind", "seconds", "held"):
            table.add_column(column, justify="right", no_wrap=True)
        for each in found[:_MOST_LISTED]:
            behind = lags.get(each.pk, NONE)
            table.add_row(
                str(each.pk)[:_SHOWN],
                each.client.name,
                each.url,
                _state(each),
                f"{each.position:,}",
                _events(behind),
                f"{behind.seconds:.1f}",
                f"{behind.held:,}",
            )
        print_table(table, self.stdout)
        if len(found) > _MOST_LISTED:
            self.stdout.write(
                f"Only the first {_MOST_LISTED} endpoints are shown. Narrow the list with --client."
            )

    def _create(self, options: dict[str, Any]) -> None:
        client = _client(options["client"])
        settings = endpoints.Settings(
            url=options["url"],
            description=options["description"] and _text(options["description"], "--description"),
            event_types=options["type"] or [],
            thin=options["thin"],
        )
        endpoint, secret = endpoints.create(
            client.pk, settings, at=timezone.now(), by=actors.operator()
        )
        self.stderr.write(
            f"{_named(endpoint)} of {client.name} gets the events from now on. {_STORE}"
            f" Test it with: ./manage.py webhooks test {str(endpoint.pk)[:_SHOWN]}"
        )
        self.stdout.write(secret)

    def _replay(
        self,
        endpoint: Endpoint,
        after: int | None,
        since: datetime | None,
        at: datetime,
        by: str,
    ) -> None:
        before = endpoint.position
        if since is not None:
            endpoints.replay_since(endpoint, since=since, at=at, by=by)
        elif after is not None:
            endpoints.replay(endpoint, after=after, at=at, by=by)
        what = (
            f"skips the events up to {endpoint.position:,}."
            if endpoint.position > before
            else f"gets the events after {endpoint.position:,} again."
        )
        if endpoint.state == State.ACTIVE:
            self._say(endpoint, f"{what} Follow the deliveries with", "show")
        else:
            self._say(endpoint, f"{what} It is {endpoint.state}. Resume it with", "resume")

    def _show(self, endpoint: Endpoint) -> None:
        behind = measure([endpoint]).get(endpoint.pk, NONE)
        for name, value in (
            ("Endpoint", str(endpoint.pk)),
            ("Client", endpoint.client.name),
            ("URL", endpoint.url),
            ("Description", endpoint.description or "none"),
            ("Event types", ", ".join(endpoint.event_types) or "all"),
            ("Payload", "thin" if endpoint.thin else "full"),
            ("State", _state(endpoint)),
            ("Next attempt", f"not before {_exactly(endpoint.next_attempt_at)}"),
            ("Position", f"{endpoint.position:,}"),
            ("Lag", f"{_events(behind)} events, {behind.seconds:.1f} seconds"),
            ("Held payments", f"{behind.held:,}"),
            ("Old secret", f"until {_exactly(endpoint.old_secret_until)}"),
            ("Created", _exactly(endpoint.created_at)),
            ("Changed", _exactly(endpoint.updated_at)),
        ):
            if name != "Old secret" or endpoint.old_secret_until is not None:
                self.stdout.write(f"{name:<14}{value}")
        self._show_attempts(endpoint)

    def _show_attempts(self, endpoint: Endpoint) -> None:
        found = endpoint.attempts.order_by("-at", "-id")[:_ATTEMPTS]
        table = Table(box=SIMPLE_HEAD)
        for column in ("attempt (UTC)", "message", "event", "number", "ms", "outcome", "status"):
            table.add_column(column, no_wrap=True)
        table.add_column("error", overflow="fold")
        for each in found:
            table.add_row(
                f"{each.at:%Y-%m-%d %H:%M:%S}",
                each.message_id,
                each.event_type,
                str(each.number),
                str(each.milliseconds),
                each.outcome,
                "" if each.status is None else str(each.status),
                each.error,
            )
        if table.row_count:
            print_table(table, self.stdout)
        else:
            self.stdout.write("No attempt in the last 30 days.")

    def _say(self, endpoint: Endpoint, what: str, then: str) -> None:
        command = f"./manage.py webhooks {then} {str(endpoint.pk)[:_SHOWN]}"
        self.stdout.write(f"{_named(endpoint)} {what}: {command}")


_STORE: Final = "Store the secret now: it is not shown again."


def _named(endpoint: Endpoint) -> str:
    return f"Endpoint {str(endpoint.pk)[:_SHOWN]} ({endpoint.url})"


def _state(endpoint: Endpoint) -> str:
    if endpoint.disabled_reason:
        return f"{endpoint.state}: {endpoint.disabled_reason}"
    if not endpoint.is_failing:
        return endpoint.state
    return f"failing: {endpoint.failures} in a row since {_exactly(endpoint.failing_since)}"


def _events(behind: Lag) -> str:
    return f"{behind.events:,}{'+' if behind.more else ''}"


def _exactly(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _find(wanted: str) -> Endpoint:
    """Return the only endpoint whose id begins with `wanted`. Raises CommandError."""
    named = Endpoint.objects.select_related("client").annotate(text=Cast("id", CharField()))
    found = list(named.filter(text__startswith=wanted.lower())[:2]) if wanted else []
    if len(found) != 1:
        raise CommandError(
            f"{'No endpoint' if not found else 'More than one endpoint'} begins with this id{_shown(wanted)}."
            " `./manage.py webhooks list` shows all."
        )
    return found[0]


def _client(wanted: str) -> Client:
    """Return the client with this name or id. Raises CommandError."""
    name = searched(wanted)
    named = Q(name=name)
    with suppress(ValueError):
        named |= Q(pk=UUID(name))
    found = Client.objects.filter(named).first()
    if found is None:
        raise CommandError(
            f"There is no client{_shown(name)}. `./manage.py list_api_keys` shows them."
        )
    return found


def _shown(text: str) -> str:
    return "" if holds_card_number(text) else f" {text!r}"


def _text(value: str, option: str) -> str:
    try:
        return checked_text(value, max_length=200)
    except TextError as error:
        raise CommandError(f"{option}: {error}", returncode=2) from error


def _argument(read: Callable[[str], Any], accepted: str) -> Callable[[str], Any]:
    def argument(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not {accepted}.") from None

    return argument


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - of 63 bits
        raise ValueError
    return int(text)


_position: Final = _argument(_whole, "a position, a number from 0")
_time: Final = _argument(times.moment, "a time like 2026-11-23T12:00:00Z, or a date")
