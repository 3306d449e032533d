"""A token bucket for each API key: in Valkey for all processes, in memory while Valkey is unreachable.

Under load a process leases several tokens at once, so that most requests make no round trip. It
returns the tokens that it does not spend. A lease is at most a hundredth of the bucket, so a limit
below 200 a minute is counted request by request. Because of returned tokens, a bucket can exceed
its size by what it gains in a fifth of a second.
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

# The pause after Valkey has failed to answer.
_PAUSE_SECONDS: Final = 5.0
_MOST_KEYS: Final = 10_000
# Leased tokens can be spent for this time, and then be returned for the same time. After that, they
# expire.
_LEASE_SECONDS: Final = 0.1
# A lease is at most the bucket divided by this number.
_LEASED_PART: Final = 100

# The bucket holds `burst` tokens and gains `rate` a second. The script is one atomic round trip. It
# uses the clock of the server, because the clocks of hosts differ. It returns `unused` tokens to
# the bucket, then takes up to `wanted`. It returns the number of tokens taken and the number that
# remain.
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
    """The result of taking a token: whether there was one, and how many remain, with fractions."""

    allowed: bool
    tokens: float
    per_minute: int

    @property
    def wait(self) -> float:
        """Return the seconds until one more token can be spent."""
        return (math.floor(self.tokens) + 1 - self.tokens) / (self.per_minute / 60)

    def headers(self) -> dict[str, str]:
        """Return the RateLimit headers of the IETF draft: `r` tokens remain, another comes in `t` seconds."""
        left, more_in = math.floor(self.tokens), math.ceil(self.wait)
        return {
            "RateLimit-Policy": f'"key";q={self.per_minute};w=60',
            "RateLimit": f'"key";r={left};t={more_in}',
        }


class KeyThrottle(BaseThrottle):
    """Allow each API key `settings.API_RATE_PER_MINUTE` requests a minute, also in one burst."""

    def __init__(self) -> None:
        self._taken: Taken | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return True
        self._taken = take(str(key_of(request).key_id), per_minute=settings.API_RATE_PER_MINUTE)
        view.headers.update(self._taken.headers())  # in every response, refusals included
        return self._taken.allowed

    def wait(self) -> float | None:
        return None if self._taken is None else self._taken.wait


def take(name: str, *, per_minute: int) -> Taken:
    """Take a token from the bucket of that name, if there is one."""
    rate = per_minute / 60
    if _breaker.lets_through():
        try:
            allowed, tokens = _leases.take(name, burst=per_minute, rate=rate)
        except redis.RedisError as error:
            # Until Valkey answers again, each process counts alone.
            _breaker.trip(error)
        else:
            _breaker.reset()
            return Taken(allowed, tokens, per_minute)
    allowed, tokens = _local.take(name, burst=per_minute, rate=rate)
    return Taken(allowed, tokens, per_minute)


class _Lease(Struct):
    """`held` tokens that the process took at monotonic time `taken_at`; `left` remain in the bucket."""

    held: int
    left: float
    taken_at: float
    spent: int = 0

    def is_good(self, now: float) -> bool:
        return self.held > 0 and now < self.taken_at + _LEASE_SECONDS

    def spend(self, now: float, *, burst: int, rate: float) -> float:
        """Spend one token. Return how many remain, here and in the bucket."""
        self.held -= 1
        self.spent += 1
        return min(burst, self.left + self.held + (now - self.taken_at) * rate)


class _Leases:
    """This process's leases on the buckets in Valkey."""

    def __init__(self, valkey: Connection) -> None:
        self._valkey = valkey
        self._leases: dict[str, _Lease] = {}
        self._lock = threading.Lock()

    def take(self, name: str, *, burst: int, rate: float) -> tuple[bool, float]:
        """Return whether there was a token, and how many remain. Raises RedisError."""
        now = time.monotonic()
        with self._lock:
            lease = self._leases.get(name)
            if lease is not None and lease.is_good(now):
                return True, lease.spend(now, burst=burst, rate=rate)
            # Until this thread has a new lease, other threads find none and take their own.
            self._leases.pop(name, None)
        wanted, unused = 1, 0
        if lease is not None and now < lease.taken_at + 2 * _LEASE_SECONDS:
            # A lease that was spent before it ended was too small.
            wanted = lease.spent * (2 if now < lease.taken_at + _LEASE_SECONDS else 1)
            wanted, unused = max(1, min(wanted, burst // _LEASED_PART)), lease.held
        taken, left = self._valkey.run(_TAKE, (f"bucket:{name}",), burst, rate, wanted, unused)
        with self._lock:
            other = self._leases.get(name)
            if taken:
                lease = _Lease(taken, float(left), now)
                if other is not None:
                    lease.held += other.held
                    lease.spent += other.spent
                if len(self._leases) >= _MOST_KEYS:
                    self._leases.clear()
                self._leases[name] = lease
            elif other is not None and other.is_good(now):
                # Another thread has leased the last tokens. It does not need all of them.
                lease = other
            else:
                return False, float(left)
            return True, lease.spend(now, burst=burst, rate=rate)


class _LocalBuckets:
    """Buckets in memory, for use without Valkey: each process allows the full rate."""

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
    """Skip Valkey for a while after an error. A frozen server would delay every request."""

    def __init__(self) -> None:
        self._ask_again_at = 0.0  # 0: Valkey answers
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        """Return whether to ask Valkey. After a pause, only one request asks until it succeeds."""
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
                logger.warning(
                    "Valkey is unreachable, so each process counts rates alone: %s", error
                )
            self._ask_again_at = time.monotonic() + _PAUSE_SECONDS

    def reset(self) -> None:
        """Note that Valkey has answered."""
        if self._ask_again_at:
            with self._lock:
                self._ask_again_at = 0.0


_local: Final = _LocalBuckets()
_breaker: Final = _Breaker()
_leases: Final = _Leases(Connection(settings.REDIS_URL))
