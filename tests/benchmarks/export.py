"""Rows per second and peak memory of exports as CSV and XLSX."""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from payments import actors
from readmodels.admin.exports import making
from readmodels.exports import files, leases, writing
from readmodels.exports.models import Export, Format, Kind, State
from tests.benchmarks.harness import Figure

_ROWS: Final = int(os.environ.get("EXPORT_ROWS", "1000000"))
_GOAL_SECONDS: Final = 60  # for a million rows
_MILLION: Final = 1_000_000
_MOST_MB: Final = 150

_CLIENT: Final = "INSERT INTO clients_client (id, name, created_at) VALUES (%s, 'Acme', now())"
_CUSTOMERS: Final = """
INSERT INTO customers_customer (id, client_id, reference, name, email, created_at)
SELECT md5(n::text)::uuid, %s, 'customer-' || n, 'John Doe ' || n, 'john' || n || '@example.com', now()
  FROM generate_series(1, 10000) AS n
"""
_PAYMENTS: Final = """
INSERT INTO readmodels_paymentsummary
      (payment_id, client_id, customer_id, reference, amount, refunded_amount, currency, method, status,
       risk_score, risk_band, risk_reasons, requires_review, failure_reason, reviewer, review_reason,
       initiated_at, updated_at, version, position)
SELECT md5('p' || n)::uuid, %s, md5((n %% 10000 + 1)::text)::uuid, 'order-' || n, n %% 1000000, 0,
       'EUR', 'credit_card', 'completed', 12, 'low', '{}', false, '', '', '',
       now() - make_interval(secs => n), now(), 2, 2 * n
  FROM generate_series(1, %s) AS n
"""


def run() -> list[Figure]:
    """Export all payments in both formats, as a worker does."""
    _fill()
    by = actors.staff(get_user_model().objects.create_superuser("root").pk)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        settings.EXPORT_FOLDER = folder
        Path(folder).chmod(0o700)
        for format_ in (Format.CSV, Format.XLSX):
            seconds = _seconds(lambda chosen=format_: _export(chosen, by))  # type: ignore[misc]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            what = f"{format_.label} of {_ROWS:,} payments, peak {peak:.0f} MB (at most {_MOST_MB})"
            baseline = _MILLION / _GOAL_SECONDS
            figures.append(
                Figure(what=what, rate=_ROWS / seconds, baseline=baseline, unit="rows/s", goal=1)
            )
    return figures


def _export(format_: Format, by: str) -> None:
    export = Export.objects.create(
        kind=Kind.PAYMENTS,
        format=format_,
        requested_by=by,
        requested_at=timezone.now(),
        state=State.QUEUED,
        in_background=True,
    )
    assert making.work()
    export.refresh_from_db()
    assert (export.state, export.rows) == (State.DONE, _ROWS), export.error
    assert writing.digest_of(files.path_of(export)) == export.digest
    assert export.expires_at == (export.finished_at or timezone.now()) + leases.LIFETIME


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _fill() -> None:
    client = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLIENT, [client])
        cursor.execute(_CUSTOMERS, [client])
        cursor.execute(_PAYMENTS, [client, _ROWS])
        cursor.execute("VACUUM ANALYZE readmodels_paymentsummary")
