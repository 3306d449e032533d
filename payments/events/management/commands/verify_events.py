"""Verify the event log against its seals, or a pack of events against the seals in it."""

import json
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from payments.counting import counted
from payments.events import contradictions
from payments.events.contradictions import Contradiction
from payments.events.seals import heads, keys, verify_pack, verifying
from payments.events.seals.findings import Finding, Kind
from payments.events.seals.verifying import Report
from payments.progress import progress_bar

_SHOWN: Final = 20
_CANNOT_RUN: Final = 2


class Command(BaseCommand):
    help = "Compare the event log with its seals and list the events that changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py verify_events\n"
            "  ./manage.py verify_events --export head.json      if nothing differs; keep it elsewhere\n"
            "  ./manage.py verify_events --against head.json     was the end cut off or sealed again?\n"
            "  ./manage.py verify_events --public-key 3d40...    trust this key too\n"
            "  DATABASE_URL=postgres://auditor@... ./manage.py verify_events    reads two tables only\n"
            "  ./manage.py verify_events --pack evidence.json    a pack of `evidence`, without a database\n\n"
            "Exit codes: 0 all events match their seals; 1 something differs, contradicts the log, was\n"
            "sealed an hour or more after it was recorded, or has had no seal for five minutes; 2 the log\n"
            "or pack cannot be verified; 3 all events of a pack match, but some have no seal yet.\n"
            "A head given with --against proves the seals up to it, however late they were made. After an\n"
            "outage of the workers, export a head once you have found the cause."
        )
        parser.add_argument(
            "--public-key",
            action="append",
            default=[],
            metavar="KEY",
            help="trust the seals of this key too, in addition to SEAL_PUBLIC_KEYS; may be repeated",
        )
        parser.add_argument("--export", type=Path, metavar="FILE", help="write the signed head")
        parser.add_argument(
            "--against", type=Path, metavar="FILE", help="compare with a head that --export wrote"
        )
        parser.add_argument(
            "--jobs", type=int, default=2, metavar="N", help="connections at once; default 2"
        )
        parser.add_argument(
            "--pack", type=Path, metavar="FILE", help="verify this pack instead of the log"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        if not 1 <= options["jobs"] <= 64:  # noqa: PLR2004
            raise CommandError("--jobs must be from 1 to 64.", returncode=_CANNOT_RUN)
        if options["pack"]:
            self._verify_pack(options)
            return
        began = time.monotonic()
        try:
            report = self._verify(options["public_key"], options["against"], options["jobs"])
            contradicting = contradictions.find()
            if options["export"] and _is_only_late(report):
                self._export(report, options["export"])
        except (keys.SealKeyError, heads.NotAHead) as error:
            raise CommandError(str(error), returncode=_CANNOT_RUN) from error
        except (DatabaseError, psycopg.Error) as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The log cannot be read: {reason}", returncode=_CANNOT_RUN
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(_document(report, contradicting), indent=2))
        else:
            self._print(report, time.monotonic() - began)
            for each in contradicting:
                self.stdout.write(str(each))
        if report.findings.total or contradicting:
            raise SystemExit(1)

    def _verify(self, given: list[str], against: Path | None, jobs: int) -> Report:
        trusted = keys.trusted(given)
        head = heads.read(against, trusted) if against else None
        with progress_bar("Verifying", total=verifying.last_position()) as progress:
            return verifying.verify(trusted, against=head, jobs=jobs, progress=progress)

    def _verify_pack(self, options: dict[str, Any]) -> None:
        if options["export"] or options["against"]:
            raise CommandError(
                "--pack cannot be combined with --export or --against: these are about the whole log.",
                returncode=_CANNOT_RUN,
            )
        try:
            raw = options["pack"].read_bytes()
            trusted = keys.trusted(options["public_key"])
        except OSError as error:
            raise CommandError(
                f"{options['pack']} cannot be read: {error.strerror}.", returncode=_CANNOT_RUN
            ) from error
        except keys.SealKeyError as error:
            raise CommandError(str(error), returncode=_CANNOT_RUN) from error
        report = verify_pack.verify(raw, sorted(trusted))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(report), indent=2))
        else:
            for line in report.lines():
                self.stdout.write(line)
        if report.status:
            raise SystemExit(report.status)

    def _export(self, report: Report, path: Path) -> None:
        if report.head is None:
            raise CommandError(
                "There is no seal to export: run `./manage.py seal_events` first.",
                returncode=_CANNOT_RUN,
            )
        try:
            heads.write(path, report.head)
        except OSError as error:
            raise CommandError(
                f"{path} cannot be written: {error.strerror}.", returncode=_CANNOT_RUN
            ) from error

    def _print(self, report: Report, seconds: float) -> None:
        shown = list(islice(_runs(report.findings.first), _SHOWN))
        for run in shown:
            self.stdout.write(_sentence(run))
        total = report.findings.total
        if hidden := total - sum(map(len, shown)):
            self.stdout.write(f"... and {hidden:,} more.")
        rate = report.events / max(seconds, 0.001)
        self.stdout.write(
            f"Verified {counted(report.events, 'event')} in {counted(report.seals, 'seal')}"
            f" in {seconds:.1f} s ({rate:,.0f}/s)."
        )
        if total:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.findings.counts.items())
            if _is_only_late(report):
                self.stdout.write(f"Some seals were made too late to prove their events: {kinds}.")
            else:
                self.stdout.write(f"The log does NOT match its seals: {kinds}.")
        elif report.head is None:
            self.stdout.write("The log has no seal, so nothing was verified.")
        else:
            self.stdout.write(
                f"All events up to position {report.head.seal.last:,} match their seals."
            )
        more = "more than " if report.unsealed == verifying.COUNTED_TO else ""
        if report.unsealed:
            self.stdout.write(f"No seal covers {more}{report.unsealed:,} later events yet.")


def _runs(findings: list[Finding]) -> Iterator[list[Finding]]:
    """Yield findings of the same kind at consecutive positions together."""
    run: list[Finding] = []
    for finding in findings:
        if run and (finding.kind, finding.seal, finding.position, finding.detail) != (
            run[-1].kind,
            run[-1].seal,
            run[-1].position + 1,
            "",
        ):
            yield run
            run = []
        run.append(finding)
    if run:
        yield run


def _sentence(run: list[Finding]) -> str:
    finding, last = run[0], run[-1].position
    detail = f": {finding.detail}" if finding.detail else ""
    if finding.kind in {Kind.SEAL_MISSING, Kind.SEAL_BROKEN, Kind.LATE}:
        return f"seal {finding.seal} (from position {finding.position}) {_LABELS[finding.kind]}{detail}"
    place = f"s {finding.position} to {last}" if len(run) > 1 else f" {last}"
    return f"position{place} {_LABELS[finding.kind]} (seal {finding.seal}){detail}"


_LABELS: Final = {
    Kind.CHANGED: "changed",
    Kind.DELETED: "deleted",
    Kind.ADDED: "added",
    Kind.REORDERED: "reordered",
    Kind.SEAL_MISSING: "missing",
    Kind.SEAL_BROKEN: "broken",
    Kind.CUT: "and all later events cut off",
    Kind.REWRITTEN: "and later events sealed again",
    Kind.UNSEALED: "and later events without a seal for too long",
    Kind.LATE: "made too late to prove that its events are unchanged",
}


def _is_only_late(report: Report) -> bool:
    return set(report.findings.counts) <= {Kind.LATE, Kind.UNSEALED}


def _document(report: Report, contradicting: list[Contradiction]) -> dict[str, Any]:
    return {
        "contradictions": msgspec.to_builtins(contradicting),
        "seals": report.seals,
        "events": report.events,
        "last_position": report.head.seal.last if report.head else 0,
        "unsealed": report.unsealed,
        "unsealed_is_exact": report.unsealed < verifying.COUNTED_TO,
        "counts": dict(report.findings.counts),
        "findings": [
            {
                "kind": finding.kind,
                "position": finding.position,
                "seal": finding.seal,
                "detail": finding.detail,
            }
            for finding in report.findings.first
        ],
    }
