"""A token bucket for each key: in Valkey for all processes, in this one's memory while Valkey is away."""

import logging
import threading
import time
from typing import Any, Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from payments.api.authentication import key_of

logger: Final = logging.getLogger(__name__)

_TIMEOUT_SECONDS: Final = 0.2
# How long Valkey is not asked again after it did not answer.
_PAUSE_SECONDS: Final = 5.0
_MOST_LOCAL_BUCKETS: Final = 10_000

# The bucket holds `burst` tokens and gains `rate` a second. One round trip, atomic, by the server's
# clock: hosts that disagree about the time share one bucket. Returns 0, or the seconds to wait.
_TAKE: Final = """
local burst, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(bucket[1]) or burst)
                               + math.max(0, now - (tonumber(bucket[2]) or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return tostring(wait)
"""


class KeyThrottle(BaseThrottle):
    """`settings.API_RATE_PER_MINUTE` requests a minute for each API key, all of them at once if it likes."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return True
        self._wait = take(str(key_of(request).key_id), per_minute=settings.API_RATE_PER_MINUTE)
        return self._wait == 0

    def wait(self) -> float:
        return self._wait


def take(name: str, *, per_minute: int) -> float:
    """Take a token of the bucket; return 0, or the seconds until there is one."""
    rate = per_minute / 60
    if _breaker.lets_through():
        try:
            wait = float(_script(keys=[f"bucket:{name}"], args=[per_minute, rate]))
        except redis.RedisError as error:
            # A limit that cannot be counted together is better counted alone than not at all.
            _breaker.trip(error)
        else:
            _breaker.reset()
            return wait
    return _local.take(name, burst=per_minute, rate=rate)


class _LocalBuckets:
    """The same bucket without Valkey: each process gives out the full rate."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str, *, burst: float, rate: float) -> float:
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) >= _MOST_LOCAL_BUCKETS:
                self._buckets.clear()
            tokens, at = self._buckets.get(name, (burst, now))
            tokens = min(burst, tokens + (now - at) * rate)
            allowed = tokens >= 1
            self._buckets[name] = (tokens - 1 if allowed else tokens, now)
            return 0.0 if allowed else (1 - tokens) / rate


class _Breaker:
    """Keeps a Valkey that is frozen from costing every request the timeout."""

    def __init__(self) -> None:
        self._ask_again_at = 0.0  # 0: Valkey answers
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        """Whether to ask Valkey. After a pause one request does, and the others wait for its news."""
        if not self._ask_again_at:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._ask_again_at:
                return False
            self._ask_again_at = now + _PAUSE_SECONDS
            return True

    def trip(self, error: redis.RedisError) -> None:
        with self._lock:
            if not self._ask_again_at:
                logger.warning("Rates are counted by each process alone, Valkey is away: %s", error)
            self._ask_again_at = time.monotonic() + _PAUSE_SECONDS

    def reset(self) -> None:
        """Valkey has answered."""
        if self._ask_again_at:
            with self._lock:
                self._ask_again_at = 0.0


_local: Final = _LocalBuckets()
_breaker: Final = _Breaker()
_script: Final = redis.Redis.from_url(
    settings.REDIS_URL,
    socket_timeout=_TIMEOUT_SECONDS,
    socket_connect_timeout=_TIMEOUT_SECONDS,
    retry=Retry(NoBackoff(), 0),
).register_script(_TAKE)
