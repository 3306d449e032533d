"""For load balancers: whether the process lives, and whether it can do its work."""

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
from payments.events import contradictions
from payments.events.contradictions import Contradiction
from payments.events.database import execute
from payments.events.seals import sealing
from readmodels import lag
from readmodels.lag import Lag

# On, too, on a standby.
_READ_ONLY: Final = "SELECT current_setting('transaction_read_only')::boolean"


class MigrationsMissing(Exception):
    """The tables are older than the code."""


class ProbeMiddleware:
    """Answers probes before anything else: they name no host, or the address of a pod, and come unencrypted.

    `/metrics` is left to the usual way. Its token may be empty, and then the Host is what keeps a web page
    that someone on this machine looks at from reading it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = _PROBES.get(request.path_info)
        return self._get_response(request) if probe is None else probe(request)


def healthz(_: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked, or every process would restart with the database."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_: HttpRequest) -> HttpResponse:
    """503 without the database or its tables, when it takes no writes, or while the log is contradicted.

    A full disk shows only when something is written: for a moment after this process met it.

    What only delays (broker, projections) is told and turns nobody away.
    """
    try:
        _check_migrations()
        found = contradictions.find()
        seals = sealing.state()
        lags = lag.measure()
        ((read_only,),) = execute(_READ_ONLY)
    except MigrationsMissing:
        return _told(ready=False, database="migrations missing")
    except (DatabaseError, InterfaceError) as error:
        outage = outages.of(error)
        if outage is None:
            raise
        return _told(ready=False, database=outage.code)
    unwritable = outages.READ_ONLY if read_only else outages.unwritable()
    return _told(
        ready=not found and unwritable is None,
        database="ok" if unwritable is None else unwritable.code,
        found=found,
        seals=seals,
        lags=lags,
    )


def _told(
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


@cache
def _check_migrations() -> None:
    """Raises MigrationsMissing; asked no more when it has not, since looking reads all their files."""
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
            # A server that is full or a replica answers a PING.
            return bool(client.set("readyz", 1, px=1_000))
    except redis.RedisError:
        return False


_PROBES: Final[Mapping[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
}
