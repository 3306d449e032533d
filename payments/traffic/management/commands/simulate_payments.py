"""Send realistic payments."""

import os
import secrets
import time
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from payments.clients.models import Client
from payments.progress import progress_bar
from payments.traffic import history, senders, simulation
from payments.traffic.dispute_senders import Disputing
from payments.traffic.pace import Pacer, Run

_CLIENT: Final = "Simulated shop"
_MOST_PER_SECOND: Final = 10_000
_MOST_SECONDS: Final = 1_000_000
_MOST_EVENTS: Final = 100_000_000


class Command(BaseCommand):
    help = (
        "Send a realistic mix of payments: small and large, several currencies, some failing, some sent to"
        " review, some repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py simulate_payments --rate 20 --for 60\n"
            "  API_KEY=sk_... ./manage.py simulate_payments --rate 50 --for 30 --http http://127.0.0.1:8000\n"
            "  ./manage.py simulate_payments --rate 50 --for 120 --disputes 0.5%\n"
            "  ./manage.py simulate_payments --history 1000000      write a large log\n"
            "  ./manage.py simulate_payments --history 1000000 --disputes 0.5% --seed 1\n\n"
            "Disputes arrive days to weeks after their payment, in a live simulation as many seconds.\n"
            "Ctrl-C stops and prints the summary.\n"
            "Exit status: 0 done, 1 if a request failed."
        )
        parser.add_argument(
            "--rate", type=float, default=10, metavar="N", help="payments per second, default: 10"
        )
        parser.add_argument(
            "--for",
            dest="seconds",
            type=float,
            default=60,
            metavar="S",
            help="duration in seconds, default: 60",
        )
        parser.add_argument(
            "--threads", type=int, default=4, metavar="N", help="number of threads, default: 4"
        )
        parser.add_argument(
            "--http",
            metavar="URL",
            help="send through the API at URL, with the key in the variable API_KEY",
        )
        parser.add_argument("--seed", type=int, help="the same seed sends the same payments")
        parser.add_argument(
            "--history",
            type=int,
            metavar="EVENTS",
            help="write past payments with so many events instead",
        )

        parser.add_argument(
            "--disputes",
            type=_share,
            default=0.0,
            metavar="SHARE",
            help="share of completed payments that are disputed, such as 0.5%%; not with --http",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        seed = secrets.randbits(32) if options["seed"] is None else options["seed"]
        if options["history"] is not None:
            self._write_history(options["history"], seed, options["disputes"])
            return
        if not 0 < options["rate"] <= _MOST_PER_SECOND:
            raise CommandError(f"--rate must be over 0 and at most {_MOST_PER_SECOND}.")
        if not 0 < options["seconds"] <= _MOST_SECONDS:
            raise CommandError(f"--for must be over 0 and at most {_MOST_SECONDS} seconds.")
        if not 0 < options["threads"] <= 64:  # noqa: PLR2004
            raise CommandError("--threads must be from 1 to 64.")
        if options["disputes"] and options["http"]:
            raise CommandError("--disputes cannot be combined with --http.")
        send = self._sender(options["http"])
        if not options["disputes"]:
            self._print_summary(self._send(send, seed, options), seed)
            return
        with Disputing(_client().pk, options["disputes"]) as disputing:
            run = self._send(disputing.after(send), seed, options)
        self._print_summary(run, seed, notices=disputing.delivered)

    def _send(self, send: senders.Send, seed: int, options: dict[str, Any]) -> Run:
        pacer = Pacer(simulation.attempts(seed), send, rate=options["rate"])
        with progress_bar("Seconds", total=max(int(options["seconds"]), 1)) as progress:
            return pacer.go(
                seconds=options["seconds"], threads=options["threads"], progress=progress
            )

    def _sender(self, url: str | None) -> senders.Send:
        if url is None:
            return senders.directly(_client().pk)
        if not url.startswith(("http://", "https://")):
            raise CommandError("--http must begin with http:// or https://.")
        if "API_KEY" not in os.environ:
            raise CommandError(
                "Set the variable API_KEY to a key of ./manage.py create_api_key 'Simulated shop'."
            )
        return senders.over_http(url, os.environ["API_KEY"])

    def _write_history(self, events: int, seed: int, disputes: float) -> None:
        if not 0 < events <= _MOST_EVENTS:
            raise CommandError(f"--history must be from 1 to {_MOST_EVENTS}.")
        began = time.monotonic()
        with progress_bar("Events", total=events) as progress:
            written = history.write(
                _client().pk, events=events, seed=seed, disputes=disputes, progress=progress
            )
        seconds = time.monotonic() - began
        self.stdout.write(f"{written:,} events in {seconds:.1f} s ({written / seconds:,.0f}/s).")

    def _print_summary(self, run: Run, seed: int, notices: int | None = None) -> None:
        sent = len(run.latencies)
        self.stdout.write(
            f"{sent:,} sent in {run.seconds:.1f} s ({sent / max(run.seconds, 0.001):.1f}/s, seed {seed}),"
            f" p50 {run.percentile(0.5) * 1000:.1f} ms, p99 {run.percentile(0.99) * 1000:.1f} ms"
        )
        for status, count in run.statuses.most_common():
            self.stdout.write(f"  {status:<15} {count:>8,}")
        if notices is not None:
            self.stdout.write(f"  {'dispute notices':<15} {notices:>8,}")
        if any(status.startswith(("HTTP", "no answer")) for status in run.statuses):
            raise SystemExit(1)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1
    if not text.endswith("%") or not 0 <= share <= 1:
        raise ArgumentTypeError(f"{text!r} is not a share from 0% to 100%, such as 0.5%")
    return share


def _client() -> Client:
    return Client.objects.get_or_create(name=_CLIENT)[0]
