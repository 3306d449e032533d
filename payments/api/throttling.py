"""A token bucket for each key: in Valkey for all processes, in this one's memory while Valkey is away."""

import logging
import math
import threading
import time
from hashlib import sha1
from typing import Any, Final

import redis
from django.conf import settings
from msgspec import Struct
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
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
# clock: hosts that disagree about the time share one bucket. Returns whether there was a token, and
# how many are left.
_TAKE: Final = """
local burst, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(bucket[1]) or burst)
                               + math.max(0, now - (tonumber(bucket[2]) or now)) * rate)
local allowed = 0
if tokens >= 1 then tokens, allowed = tokens - 1, 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {allowed, tostring(tokens)}
"""
_TAKE_DIGEST: Final = sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()


class Taken(Struct, frozen=True):
    """Whether there was a token in the bucket, and how many are left, in parts too."""

    allowed: bool
    tokens: float
    per_minute: int

    @property
    def wait(self) -> float:
        """The seconds until there is one token more than can be spent now."""
        return (math.floor(self.tokens) + 1 - self.tokens) / (self.per_minute / 60)

    def headers(self) -> dict[str, str]:
        """What the IETF's draft of RateLimit header fields says: `r` left, more of them in `t` seconds."""
        left, more_in = math.floor(self.tokens), math.ceil(self.wait)
        return {
            "RateLimit-Policy": f'"key";q={self.per_minute};w=60',
            "RateLimit": f'"key";r={left};t={more_in}',
        }


class KeyThrottle(BaseThrottle):
    """`settings.API_RATE_PER_MINUTE` requests a minute for each API key, all of them at once if it likes."""

    def __init__(self) -> None:
        self._taken: Taken | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return True
        self._taken = take(str(key_of(request).key_id), per_minute=settings.API_RATE_PER_MINUTE)
        view.headers.update(self._taken.headers())  # of the answer, whatever it will be
        return self._taken.allowed

    def wait(self) -> float | None:
        return None if self._taken is None else self._taken.wait


def take(name: str, *, per_minute: int) -> Taken:
    """Take a token of the bucket, if there is one."""
    rate = per_minute / 60
    if _breaker.lets_through():
        try:
            allowed, tokens = _valkey.take(f"bucket:{name}", burst=per_minute, rate=rate)
        except redis.RedisError as error:
            # A limit that cannot be counted together is better counted alone than not at all.
            _breaker.trip(error)
        else:
            _breaker.reset()
            return Taken(allowed, tokens, per_minute)
    allowed, tokens = _local.take(name, burst=per_minute, rate=rate)
    return Taken(allowed, tokens, per_minute)


class _Valkey(threading.local):
    """A connection for each thread, asked directly: a client with its pool costs more than the command."""

    def __init__(self, url: str) -> None:
        # The library does not say its type.
        self._connection: Any = redis.ConnectionPool.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ).make_connection()

    def take(self, bucket: str, *, burst: int, rate: float) -> tuple[bool, float]:
        try:
            return self._ask("EVALSHA", _TAKE_DIGEST, 1, bucket, burst, rate)
        except (redis.ConnectionError, NoScriptError):
            # The server has been restarted since. If it is away, this fails too.
            return self._ask("EVAL", _TAKE, 1, bucket, burst, rate)

    def _ask(self, *command: str | float) -> tuple[bool, float]:
        # Connects if need be. A failure disconnects: no answer is ever taken for another command's.
        self._connection.send_packed_command(self._connection.pack_command(*command))
        allowed, tokens = self._connection.read_response()
        return bool(allowed), float(tokens)


class _LocalBuckets:
    """The same bucket without Valkey: each process gives out the full rate."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str, *, burst: float, rate: float) -> tuple[bool, float]:
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) >= _MOST_LOCAL_BUCKETS:
                self._buckets.clear()
            tokens, at = self._buckets.get(name, (burst, now))
            tokens = min(burst, tokens + (now - at) * rate)
            allowed = tokens >= 1
            left = tokens - 1 if allowed else tokens
            self._buckets[name] = (left, now)
            return allowed, left


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
_valkey: Final = _Valkey(settings.REDIS_URL)
