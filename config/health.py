"""For load balancers: whether the process lives, and whether it can do its work."""

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.backoff import NoBackoff
from redis.retry import Retry

from readmodels import lag


def healthz(_: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked, or every process would restart with the database."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_: HttpRequest) -> HttpResponse:
    """503 without the database. What only delays (broker, projections) is told and turns nobody away."""
    try:
        lags = lag.measure()
    except (OperationalError, InterfaceError):
        return JsonResponse({"ready": False, "database": "away"}, status=503)
    return JsonResponse(
        {
            "ready": True,
            "database": "ok",
            "broker": "ok" if _broker_answers() else "away",
            "projections": {
                each.name: "rebuild" if each.needs_rebuild else "stopped" if each.error else "ok"
                for each in lags
            },
        }
    )


def _broker_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=0.2,
            socket_connect_timeout=0.2,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
