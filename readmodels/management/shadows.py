"""`manage.py backtest shadow`: observe proposed policies on the payments that arrive."""

import sys
from argparse import ArgumentParser
from textwrap import fill
from typing import Any, Final

import msgspec
from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.application import policies
from payments.domain import money
from payments.domain.backtest import shadow, verdict
from payments.domain.backtest.question import ENGINE_VERSION
from payments.printing import print_table
from readmodels.backtests import daily, observing, shadows
from readmodels.backtests.daily import Day, Sides
from readmodels.backtests.models import Shadow
from readmodels.management.finding import find, find_policy

REFUSALS: Final = (
    policies.UnknownPolicy,
    shadows.AlreadyObserved,
    shadows.NotProposed,
    shadows.ShadowEnded,
    shadows.TooManyShadows,
)

_SHOWN: Final = 8  # digits of an id
_POLICY_SHOWN: Final = 12
_WIDTH: Final = 100  # columns
_MOST_LISTED: Final = 50
_COMMAND: Final = "./manage.py backtest shadow"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the commands of `backtest shadow`."""
    actions = parser.add_subparsers(dest="shadow_action", required=True, metavar="COMMAND")
    start = actions.add_parser("start", help="observe a proposed policy from now on, for 30 days")
    start.add_argument("policy", metavar="POLICY", help="its id, or the first digits")
    actions.add_parser("list", help=f"the last {_MOST_LISTED} shadows")
    stop = actions.add_parser("stop", help="end it; what it has counted stays")
    show = actions.add_parser("show", help="each day, the active policy next to the shadow")
    verify = actions.add_parser("verify", help="count the days again from the log and compare")
    for each in (stop, show, verify):
        each.add_argument("shadow", metavar="ID", help="the id of the shadow, or its first digits")
    show.add_argument("--json", action="store_true", help="print the days as JSON")


def handle(options: dict[str, Any], out: OutputWrapper) -> None:
    """Execute a command of `backtest shadow`."""
    match options["shadow_action"]:
        case "start":
            _start(options["policy"], out)
        case "list":
            _list(out)
        case "stop":
            found = _find(options["shadow"])
            shadows.stop(found.pk, by=actors.operator(), at=timezone.now())
            out.write(f"{_short(found)} is stopped.")
        case "show":
            _show(_find(options["shadow"]), out, as_json=options["json"])
        case _:
            _verify(_find(options["shadow"]), out)


def _start(wanted: str, out: OutputWrapper) -> None:
    policy_id = find_policy(policies.register().policies, wanted)
    started = shadows.start(policy_id, by=actors.operator(), at=timezone.now())
    out.write(
        f"{_short(started)} observes policy {policy_id[:_POLICY_SHOWN]} until"
        f" {started.until:%Y-%m-%d %H:%M} UTC at the latest."
    )
    out.write(f"Show its days with: {_COMMAND} show {_short(started)}")


def _list(out: OutputWrapper) -> None:
    table = Table(box=SIMPLE_HEAD)
    for column in ("id", "policy", "state", "since (UTC)", "observed (UTC)", "by", "error"):
        table.add_column(column, overflow="fold")
    found = list(Shadow.objects.defer("candidate")[:_MOST_LISTED])
    for each in found:
        table.add_row(
            _short(each),
            each.candidate_id[:_POLICY_SHOWN],
            each.state,
            f"{each.started_at:%Y-%m-%d %H:%M}",
            f"{each.observed_at:%Y-%m-%d %H:%M}" if each.observed_at else "",
            each.started_by,
            each.error,
        )
    if found:
        print_table(table, out)
    else:
        out.write(f"There are no shadows. Begin with: {_COMMAND} start POLICY")


def _show(found: Shadow, out: OutputWrapper, *, as_json: bool) -> None:
    observed, tallies = shadows.with_days(found)
    result, total = daily.total(tallies.values())
    days = daily.days(tallies)
    digest = shadows.digest_of(observed, tallies)
    if as_json:
        document = {
            "id": observed.pk,
            "state": observed.state,
            "candidate": observed.candidate_id,
            "since": observed.since,
            "position": observed.position,
            "started_at": observed.started_at,
            "observed_at": observed.observed_at,
            "ended_at": observed.ended_at,
            "engine": observed.engine,
            "error": observed.error or None,
            "verdict": verdict.verdict(result, labeled=False),
            "limits": verdict.limits(result, labeled=False),
            "days": days,
            "total": total,
            "digest": digest,
        }
        out.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    out.write(f"Shadow {observed.pk}, {observed.state}")
    out.write(
        f"Policy {observed.candidate_id[:_POLICY_SHOWN]} next to the active one, since"
        f" {observed.started_at:%Y-%m-%d %H:%M} UTC"
    )
    out.write(f"Payments scored after position {observed.since:,} up to {observed.position:,}")
    if observed.error:
        out.write(f"Stalled: {observed.error}")
    out.write(f"\n{fill(verdict.verdict(result, labeled=False), _WIDTH)}\n\n")
    if days:
        print_table(_counts((*days, total)), out)
        print_table(_money((*days, total)), out)
    for sentence in verdict.limits(result, labeled=False):
        out.write(fill(f"- {sentence}", _WIDTH, subsequent_indent="  "))
    out.write(f"\nDigest {digest}")
    out.write(f"Compute it again with: {_COMMAND} verify {_short(observed)}")


def _counts(days: tuple[Day, ...]) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        title="Payments, by the active policy → the shadow",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("day")
    for column in ("payments", "reviews", "blocks", "changed", "not evaluable"):
        table.add_column(column, justify="right")
    for each in days:
        table.add_row(
            _name(each),
            f"{each.payments:,}",
            f"{each.reviews.active:,} → {each.reviews.shadow:,}",
            f"{each.blocks.active:,} → {each.blocks.shadow:,}",
            f"{each.flips:,}",
            f"{each.not_evaluable:,}",
        )
    return table


def _money(days: tuple[Day, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Money", title_justify="left", title_style="bold")
    for column in ("day", "currency"):
        table.add_column(column)
    for column in ("payments", "held", "blocked"):
        table.add_column(column, justify="right")
    for day in days:
        for each in day.money:
            table.add_row(
                _name(day),
                each.currency,
                f"{each.payments:,}",
                _amounts(each.held, each.currency),
                _amounts(each.blocked, each.currency),
            )
    return table


def _amounts(sides: Sides, currency: str) -> str:
    return " → ".join(
        money.Money(minor, currency).formatted() for minor in (sides.active, sides.shadow)
    )


def _name(day: Day) -> str:
    return "all" if day.day is None else day.day.isoformat()


def _verify(found: Shadow, out: OutputWrapper) -> None:
    observed, stored = shadows.with_days(found)
    if observed.engine != ENGINE_VERSION:
        raise CommandError(
            f"Engine {observed.engine} counted the days. This release has engine {ENGINE_VERSION}."
        )
    difference = shadow.first_difference_of_days(stored, observing.recomputed(observed))
    if difference is None:
        digest = shadows.digest_of(observed, stored)
        out.write(f"{_short(observed)} has the same days again: {digest}")
        return
    day, cell = difference
    out.write(f"{_short(observed)} differs on {day}. Stored and computed are {cell}.")
    out.write("Look for changed events with: ./manage.py verify_events")
    sys.exit(1)


def _find(wanted: str) -> Shadow:
    return find(Shadow.objects.all(), wanted, what="shadow", listed_by="backtest shadow list")


def _short(observed: Shadow) -> str:
    return str(observed.pk)[:_SHOWN]
