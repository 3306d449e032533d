"""Events per second of verifying the sealed log, compared with a COPY of its table."""

import resource
import time
from typing import Final

from payments.clients.models import Client
from payments.database import cursor
from payments.events.reading import horizon
from payments.events.seals import keys, sealing, verifying
from payments.traffic import history
from tests.benchmarks.harness import Figure, in_turns

_EVENTS: Final = 300_000


def run() -> list[Figure]:
    """Verify with two connections, on as many cores as there are."""
    missing = _EVENTS - horizon.last_position()
    if missing > 0:
        client, _ = Client.objects.get_or_create(name="Benchmark")
        history.write(client.pk, events=missing, seed=7)
    for _ in sealing.seal_all():
        pass
    before = _peak_mb()
    medians = in_turns({"verify": _verify, "copy": _copy})
    return [
        Figure(
            what="verify_events, at least 100,000/s wanted"
            f" ({_peak_mb() - before:.0f} MB more than before), against COPY",
            rate=medians["verify"],
            baseline=medians["copy"],
            unit="events/s",
        )
    ]


def _verify() -> float:
    began = time.perf_counter()
    report = verifying.verify(keys.trusted())
    seconds = time.perf_counter() - began
    assert report.findings.total == 0, report.findings.first
    return report.events / seconds


def _copy() -> float:
    began = time.perf_counter()
    with cursor() as cur:
        with cur.copy("COPY events_event TO STDOUT (FORMAT BINARY)") as copy:
            for _ in copy:
                pass
        return cur.rowcount / (time.perf_counter() - began)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
