"""Probes for load balancers: /healthz and /readyz."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

from payments import outages
from payments.database import execute
from payments.events import contradictions
from payments.events.contradictions import Contradiction
from payments.events.seals import sealing
from payments.outages import Outage
from readmodels.engine import lag
from readmodels.engine.lag import Lag

# This is also true on a standby server.
_READ_ONLY: Final = "SELECT current_setting('transaction_read_only')::boolean"


class MigrationsMissing(Exception):
    """The tables are older than the code."""


def healthz(_: HttpRequest) -> HttpResponse:
    """Return 200 while the process answers. An outage of the database must not restart every process."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_: HttpRequest) -> HttpResponse:
    """Return 503 if the database is unusable or contradicts the log, or if migrations are missing.

    A full disk shows only when a write fails, so it is reported for a short time after this process
    failed to write. A missing broker and a lagging projection are reported, but only delay work.
    """
    try:
        _check_migrations()
        found = contradictions.find()
        seals = sealing.state()
        lags = lag.measure()
        unwritable = _unwritable()
    except MigrationsMissing:
        return _report(ready=False, database="migrations missing")
    except (DatabaseError, InterfaceError) as error:
        outage = outages.of(error)
        if outage is None:
            raise
        return _report(ready=False, database=outage.code)
    return _report(
        ready=not found and unwritable is None,
        database="ok" if unwritable is None else unwritable.code,
        found=found,
        seals=seals,
        lags=lags,
    )


def _report(
    *,
    ready: bool,
    database: str,
    found: Sequence[Contradiction] = (),
    seals: str = "ok",
    lags: Sequence[Lag] = (),
) -> HttpResponse:
    broker = _broker_answers()
    held_up = any(each.state in {"stopped", "needs_rebuild"} or each.parked for each in lags)
    return JsonResponse(
        {
            "ready": ready,
            "degraded": ready and (held_up or not broker or seals != "ok"),
            "database": database,
            "seals": seals,
            "log": sorted({each.code for each in found}) or "ok",
            "broker": "ok" if broker else "away",
            "projections": {each.name: each.state for each in lags},
        },
        status=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def _unwritable() -> Outage | None:
    """Return why the database accepts no writes, or None if it does.

    A read-only answer is verified on a new connection. A changed default of the database or the
    role applies to new connections only.
    """
    failed = outages.unwritable()
    ((read_only,),) = execute(_READ_ONLY)
    if read_only or failed == outages.READ_ONLY:
        connection.close()
        ((read_only,),) = execute(_READ_ONLY)
    if read_only:
        return outages.READ_ONLY
    return None if failed == outages.READ_ONLY else failed


@cache
def _check_migrations() -> None:
    """Raise MigrationsMissing if a migration is not applied.

    Success is cached, because the check reads all migration files.
    """
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing


def _broker_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=0.2,
            socket_connect_timeout=0.2,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            # A full server or a replica still answers PING.
            return bool(client.set("readyz", 1, px=1_000))
    except redis.RedisError:
        return False


PROBES: Final[Mapping[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
}
