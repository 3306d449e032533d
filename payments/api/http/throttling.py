"""A token bucket for each key: in Valkey for all processes, in this one's memory while Valkey is away.

A process takes as many tokens at once as the key's traffic needs for a moment, and brings back those
that it did not need: under load most requests wait for nobody. It never takes more than a hundredth
of the bucket, so a limit under 200 a minute is counted request by request. What is brought back may
lift the bucket over its brim, by what the key would have gained within the next fifth of a second.
"""

import logging
import math
import threading
import time
from typing import Any, Final

import redis
from django.conf import settings
from msgspec import Struct
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from payments.api.http.authentication import key_of
from payments.valkey import Connection, Script

logger: Final = logging.getLogger(__name__)

# How long Valkey is not asked again after it did not answer.
_PAUSE_SECONDS: Final = 5.0
_MOST_KEYS: Final = 10_000
# How long taken tokens may be spent, and for as long again be brought back; then they are forgotten.
_LEASE_SECONDS: Final = 0.1
# The part of the bucket that may be taken at once.
_LEASED_PART: Final = 100

# The bucket holds `burst` tokens and gains `rate` a second. One round trip, atomic, by the server's
# clock: hosts that disagree about the time share one bucket. Takes the `wanted` tokens, or as many as
# there are, after those that were brought back. Returns how many, and how many are left.
_TAKE: Final = Script("""
local burst, rate, wanted, unused = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + unused
                               + math.max(0, now - (tonumber(bucket[2]) or now)) * rate)
local taken = math.min(wanted, math.floor(tokens))
tokens = tokens - taken
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {taken, tostring(tokens)}
""")


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
            allowed, tokens = _leases.take(name, burst=per_minute, rate=rate)
        except redis.RedisError as error:
            # A limit that cannot be counted together is better counted alone than not at all.
            _breaker.trip(error)
        else:
            _breaker.reset()
            return Taken(allowed, tokens, per_minute)
    allowed, tokens = _local.take(name, burst=per_minute, rate=rate)
    return Taken(allowed, tokens, per_minute)


class _Lease(Struct):
    """Tokens that this process took at the monotonic second `taken_at`, and how many it left."""

    held: int
    left: float
    taken_at: float
    spent: int = 0

    def is_good(self, now: float) -> bool:
        return self.held > 0 and now < self.taken_at + _LEASE_SECONDS

    def spend(self, now: float, *, burst: int, rate: float) -> float:
        """Spend one; return how many are left here and in the bucket."""
        self.held -= 1
        self.spent += 1
        return min(burst, self.left + self.held + (now - self.taken_at) * rate)


class _Leases:
    """The common buckets, as this process sees them."""

    def __init__(self, valkey: Connection) -> None:
        self._valkey = valkey
        self._leases: dict[str, _Lease] = {}
        self._lock = threading.Lock()

    def take(self, name: str, *, burst: int, rate: float) -> tuple[bool, float]:
        """Raises RedisError."""
        now = time.monotonic()
        with self._lock:
            lease = self._leases.get(name)
            if lease is not None and lease.is_good(now):
                return True, lease.spend(now, burst=burst, rate=rate)
            # Whoever asks at the same time finds none, and asks for one.
            self._leases.pop(name, None)
        wanted, unused = 1, 0
        if lease is not None and now < lease.taken_at + 2 * _LEASE_SECONDS:
            # What ran out before its time was too few.
            wanted = lease.spent * (2 if now < lease.taken_at + _LEASE_SECONDS else 1)
            wanted, unused = max(1, min(wanted, burst // _LEASED_PART)), lease.held
        taken, left = self._valkey.run(_TAKE, (f"bucket:{name}",), burst, rate, wanted, unused)
        with self._lock:
            beside = self._leases.get(name)
            if taken:
                lease = _Lease(taken, float(left), now)
                if beside is not None:
                    lease.held += beside.held
                    lease.spent += beside.spent
                if len(self._leases) >= _MOST_KEYS:
                    self._leases.clear()
                self._leases[name] = lease
            elif beside is not None and beside.is_good(now):
                # Another thread has taken the last ones, more than its own.
                lease = beside
            else:
                return False, float(left)
            return True, lease.spend(now, burst=burst, rate=rate)


class _LocalBuckets:
    """The same bucket without Valkey: each process gives out the full rate."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str, *, burst: float, rate: float) -> tuple[bool, float]:
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) >= _MOST_KEYS:
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
_leases: Final = _Leases(Connection(settings.REDIS_URL))
