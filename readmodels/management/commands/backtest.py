"""Test a risk policy over history, and show, resume, cancel and verify such backtests."""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from concurrent.futures import BrokenExecutor
from datetime import timedelta
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import msgspec
import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.table import Table

from payments import actors
from payments.application import policies
from payments.domain.backtest import verdict
from payments.domain.backtest.labels import MATURE
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import Result
from payments.domain.backtest.sampling import WHOLE
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.events.reading.horizon import HorizonHeld, UnreadableEvent
from payments.permissions import NotPermitted
from payments.printing import print_table
from payments.progress import progress_bar
from readmodels.backtests import attaching, facts, processes, questions, requests, verifying
from readmodels.backtests.models import Backtest, State
from readmodels.backtests.requests import Request
from readmodels.management import arguments, backtests as tables, shadows
from readmodels.management.finding import find, find_policy
from readmodels.management.people import actor

_SHOWN: Final = 8  # digits of an id, enough to distinguish backtests
_POLICY_SHOWN: Final = 12
_WIDTH: Final = 100  # columns
_MOST_LISTED: Final = 50
_INTERRUPTED: Final = 130
_DATABASE_ERRORS: Final = (DatabaseError, InterfaceError, psycopg.Error)
_REFUSALS: Final = (
    attaching.NotFinished,
    PolicyRefused,
    NotPermitted,
    requests.BacktestEnded,
    requests.EmptyRange,
    requests.TooManyBacktests,
    verifying.NotVerifiable,
    HorizonHeld,
    UnreadableEvent,
    *shadows.REFUSALS,
    BrokenExecutor,  # one of the processes was killed
    *_DATABASE_ERRORS,
)


class Command(BaseCommand):
    help = (
        "Test a risk policy over history: what it would have decided, about which payments, and"
        " how much work that is. List, show, resume, cancel or verify a backtest. Observe a proposed"
        " policy on new payments as a shadow."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py backtest run 94d4d6ad220d                a proposed policy, the whole log\n"
            "  ./manage.py backtest run policy.json --last 90d      a policy in a file\n"
            "  ./manage.py policy show | ./manage.py backtest run - --mode auto\n"
            "  ./manage.py backtest run policy.json --baseline active --sample 10% --seed 7\n"
            "  ./manage.py backtest run built-in --since 2026-06-01 --until 2026-09-01 --json\n"
            "  ./manage.py backtest list\n"
            "  ./manage.py backtest show 3f2a91bc\n"
            "  ./manage.py backtest resume 3f2a91bc                 after Ctrl-C or a crash\n"
            "  ./manage.py backtest verify 3f2a91bc                 compute it again and compare\n"
            "  ./manage.py backtest attach 3f2a91bc --by ada        show it to the approver\n"
            "  ./manage.py backtest shadow start 94d4d6ad220d       observe it on new payments\n"
            "  ./manage.py backtest shadow show 7c01ab3e            each day, next to the active one\n"
            "  ./manage.py backtest shadow verify 7c01ab3e          count the days again and compare\n\n"
            "POLICY is the id of a policy or its first digits, active, built-in, a file, or - for the\n"
            "standard input. ID is the id of a backtest or its first digits. A range is by the time at\n"
            "which payments were recorded. Nothing after its end is known, labels included.\n"
            "Modes: recorded uses the features that each decision stored, reconstructed computes them\n"
            "from the log, auto reconstructs only missing ones, as those of imported payments.\n"
            "Exit codes: 0 done, 1 refused, failed or different, 2 wrong argument, 130 interrupted."
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
        run = actions.add_parser("run", help="test a policy and print the result")
        run.add_argument("policy", metavar="POLICY")
        begin = run.add_mutually_exclusive_group()
        begin.add_argument(
            "--last", type=arguments.duration, metavar="90d", help="default: the whole log"
        )
        begin.add_argument("--since", type=arguments.moment, metavar="TIME")
        run.add_argument("--until", type=arguments.moment, metavar="TIME", help="default: now")
        run.add_argument(
            "--mode", choices=[each.value for each in Mode], default=Mode.RECORDED.value
        )
        run.add_argument(
            "--baseline", metavar="POLICY", help="compare with this policy, not with history"
        )
        run.add_argument(
            "--sample",
            type=arguments.share,
            default=WHOLE,
            metavar="10%",
            help="default: all payments",
        )
        run.add_argument(
            "--seed", type=arguments.seed, default=0, metavar="N", help="seed of the random sample"
        )
        run.add_argument(
            "--mature",
            type=arguments.duration,
            default=MATURE,
            metavar="90d",
            help="completed payments without fraud are good after this time (default: 90d)",
        )
        actions.add_parser("list", help=f"the last {_MOST_LISTED} backtests")
        show = actions.add_parser("show", help="the result, or the progress")
        resume = actions.add_parser("resume", help="continue where it was interrupted")
        cancel = actions.add_parser("cancel", help="end it without a result")
        verify = actions.add_parser("verify", help="compute the result again and compare")
        attach = actions.add_parser(
            "attach", help="attach the result to the proposal of its policy"
        )
        attach.add_argument("--by", required=True, metavar="USER", help="a risk manager")
        shadows.add_arguments(
            actions.add_parser("shadow", help="observe proposed policies on new payments")
        )
        for each in (show, resume, cancel, verify, attach):
            each.add_argument("backtest", metavar="ID")
        for each in (run, resume, verify):
            each.add_argument(
                "--workers",
                type=arguments.workers,
                default=os.cpu_count() or 1,
                metavar="N",
                help="number of processes (default: one per core)",
            )
        for each in (run, resume, show):
            each.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            match action:
                case "run":
                    self._run(_request(options), options)
                case "list":
                    self._list()
                case "show":
                    self._show(_find(options["backtest"]), as_json=options["json"])
                case "resume":
                    self._resume(_find(options["backtest"]), options)
                case "cancel":
                    self._cancel(_find(options["backtest"]))
                case "shadow":
                    shadows.handle(options, self.stdout)
                case "attach":
                    self._attach(_find(options["backtest"]), options["by"])
                case _:
                    self._verify(_find(options["backtest"]), options["workers"])
        except _REFUSALS as error:
            raise CommandError(str(error).strip()) from error

    def _run(self, asked: Request, options: dict[str, Any]) -> None:
        facts.sweep()
        by, at = actors.operator(), timezone.now()
        backtest = requests.request(asked, by=by, at=at, in_background=False)
        self._show_result(backtest, options)

    def _resume(self, backtest: Backtest, options: dict[str, Any]) -> None:
        by = actors.operator()
        self._show_result(requests.resume(backtest.pk, by=by, in_background=False), options)

    def _show_result(self, backtest: Backtest, options: dict[str, Any]) -> None:
        command = f"./manage.py backtest resume {_short(backtest)}"
        try:
            ended = self._follow(backtest, options["workers"])
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted. What is done is kept. Continue with: {command}")
            sys.exit(_INTERRUPTED)
        except BrokenExecutor as error:
            raise CommandError(f"A worker process ended. Continue with: {command}") from error
        except _DATABASE_ERRORS as error:
            raise CommandError(f"{str(error).strip()}\nContinue with: {command}") from error
        if ended.state == State.FAILED:
            raise CommandError(f"The backtest failed. {ended.error}")
        if ended.state == State.CANCELLED:
            raise CommandError("The backtest was cancelled.")
        self._show(ended, as_json=options["json"])

    def _follow(self, backtest: Backtest, workers: int) -> Backtest:
        parts = requests.progress(backtest).parts
        with progress_bar(f"Backtest {_short(backtest)}", total=parts) as progress:
            ended = processes.run(backtest.pk, workers=workers, progress=progress)
            progress(parts if ended.state == State.DONE else 0)
        return ended

    def _cancel(self, backtest: Backtest) -> None:
        requests.cancel(backtest.pk, by=actors.operator(), at=timezone.now())
        self.stdout.write(f"{_short(backtest)} is cancelled.")

    def _attach(self, backtest: Backtest, username: str) -> None:
        # Record the operator too: --by accepts any name.
        by, operator = actor(username), actors.operator()
        attaching.attach(backtest, by=by, at=timezone.now(), causation_id=operator)
        self.stdout.write(
            f"{_short(backtest)} is attached to the proposal of {backtest.candidate_id[:_POLICY_SHOWN]}."
        )

    def _verify(self, backtest: Backtest, workers: int) -> None:
        with verifying.repeated(backtest, at=timezone.now()) as repetition:
            ended = self._follow(repetition, workers)
            if ended.state != State.DONE:
                raise CommandError(f"The backtest could not be repeated. {ended.error}")
            difference = verifying.difference(backtest, ended)
        if difference is None:
            self.stdout.write(f"{_short(backtest)} has the same result again: {backtest.digest}")
            return
        self.stdout.write(f"{_short(backtest)} differs. Stored and computed are {difference}.")
        self.stdout.write("Look for changed events with: ./manage.py verify_events")
        sys.exit(1)

    def _list(self) -> None:
        table = Table(box=SIMPLE_HEAD)
        for column in ("id", "policy", "mode", "state", "requested (UTC)", "by", "flips"):
            table.add_column(column, overflow="fold")
        stored = Backtest.objects.filter(verifies=None).defer("candidate", "baseline")
        found = list(stored[:_MOST_LISTED])
        for each in found:
            flips = f"{each.result['flips']:,}" if each.result else ""
            table.add_row(
                _short(each),
                each.candidate_id[:_POLICY_SHOWN],
                each.mode,
                _state(each),
                f"{each.created_at:%Y-%m-%d %H:%M}",
                each.requested_by,
                flips,
            )
        if found:
            print_table(table, self.stdout)
        else:
            self.stdout.write("There are no backtests. Begin with: ./manage.py backtest run active")

    def _show(self, backtest: Backtest, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(_json(backtest))
            return
        for line in _headline(backtest):
            self.stdout.write(line)
        if backtest.state != State.DONE:
            return
        result = questions.stored_result(backtest)
        self.stdout.write(f"\n{fill(verdict.verdict(result), _WIDTH)}\n\n")
        shown = [tables.matrix(result), tables.rules(result), tables.reviews(result)]
        if result.examples:
            shown.append(tables.examples(result))
        for table in shown:
            print_table(table, self.stdout)
        for sentence in verdict.limits(result):
            self.stdout.write(fill(f"- {sentence}", _WIDTH, subsequent_indent="  "))
        if backtest.mode == Mode.RECORDED and result.not_evaluable:
            self.stdout.write("  Evaluate these too with: --mode auto")
        self.stdout.write(f"\nDigest {backtest.digest}")
        self.stdout.write(f"Compute it again with: ./manage.py backtest verify {_short(backtest)}")


def _headline(backtest: Backtest) -> list[str]:
    share = "" if backtest.sample_ppm == WHOLE else f", {backtest.sample_ppm / 10_000:g} % of them"
    against = (
        f"policy {backtest.baseline_id[:_POLICY_SHOWN]}" if backtest.baseline_id else "history"
    )
    return [
        f"Backtest {backtest.pk}, {_state(backtest)}",
        f"Policy {backtest.candidate_id[:_POLICY_SHOWN]} against {against}, {backtest.mode} features",
        f"Payments after position {backtest.since:,} up to {backtest.upto:,} of the log"
        f" ({backtest.known_at:%Y-%m-%d %H:%M} UTC){share}",
    ]


def _state(backtest: Backtest) -> str:
    if not backtest.is_unfinished:
        return backtest.state
    progress = requests.progress(backtest)
    state = "running" if backtest.is_worked_on(timezone.now()) else "waiting"
    return f"{state}, {progress.done} of {progress.parts} parts done"


def _json(backtest: Backtest) -> str:
    document: dict[str, Any] = {
        "id": backtest.pk,
        "state": backtest.state,
        "candidate": backtest.candidate_id,
        "baseline": backtest.baseline_id or None,
        "since": backtest.since,
        "upto": backtest.upto,
        "known_at": backtest.known_at,
        "mode": backtest.mode,
        "sample_ppm": backtest.sample_ppm,
        "seed": backtest.seed,
        "mature_days": backtest.mature / timedelta(days=1),
        "engine": backtest.engine,
        "error": backtest.error or None,
        "digest": backtest.digest or None,
    }
    if backtest.state == State.DONE:
        result: Result = questions.stored_result(backtest)
        document["verdict"] = verdict.verdict(result)
        document["limits"] = verdict.limits(result)
        document["result"] = result
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _request(options: dict[str, Any]) -> Request:
    now = timezone.now()
    last: timedelta | None = options["last"]
    baseline = options["baseline"]
    return Request(
        candidate=_policy(options["policy"]),
        baseline=None if baseline is None else _policy(baseline),
        since=options["since"] if last is None else now - last,
        until=options["until"],
        mode=Mode(options["mode"]),
        sample_ppm=options["sample"],
        seed=options["seed"],
        mature=options["mature"],
    )


def _policy(wanted: str) -> RiskPolicy:
    """Return the policy from a file, from standard input or from the register."""
    register = policies.register()
    match wanted:
        case "-":
            return _parsed(_standard_input(), "The standard input")
        case "built-in":
            return DEFAULT_POLICY
        case "active":
            return policies.active_of(register)
    if _is_file(wanted):
        try:
            return _parsed(Path(wanted).read_bytes(), wanted)
        except OSError as error:
            raise CommandError(f"{wanted} cannot be read: {error.strerror}.") from error
    known = policies.all_of(register)
    return known[find_policy(known, wanted, nor=", and no file has this name")]


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # the name is too long
        return False


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise CommandError("The standard input is not a text in UTF-8.") from error


def _parsed(text: str | bytes, source: str) -> RiskPolicy:
    try:
        return parsing.read(text)
    except parsing.InvalidPolicy as error:
        raise CommandError("\n".join(f"{source}: {each}" for each in error.problems)) from error


def _find(wanted: str) -> Backtest:
    stored = Backtest.objects.filter(verifies=None)
    return find(stored, wanted, what="backtest", listed_by="backtest list")


def _short(backtest: Backtest) -> str:
    return str(backtest.pk)[:_SHOWN]
