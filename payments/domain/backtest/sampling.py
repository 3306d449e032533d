"""Samples that do not depend on the order of payments, and confidence intervals of shares."""

from hashlib import sha256
from math import isqrt
from typing import Final
from uuid import UUID

from msgspec import Struct

WHOLE: Final = 1_000_000  # parts per million
RANKS: Final = 2**64  # the number of ranks
_MICRO: Final = 1_000_000
_Z: Final = 1_959_964  # the 97.5 % quantile of the normal distribution, in millionths


def rank(seed: int, payment_id: UUID) -> int:
    """Return a number below 2**64 that orders payments at random.

    It consists of the first eight bytes of the SHA-256 of seed and id.
    """
    return int.from_bytes(sha256(seed.to_bytes(8, "big") + payment_id.bytes).digest()[:8], "big")


def limit(sample_ppm: int) -> int:
    """Return the rank below which payments belong to the sample."""
    return sample_ppm * RANKS // WHOLE


class Share(Struct, frozen=True, kw_only=True):
    """A share in parts per million, with its 95 % Wilson interval."""

    ppm: int
    low_ppm: int
    high_ppm: int


def share(count: int, total: int) -> Share:
    """Return the share of `count` in `total`. Integers give the same result on every machine.

    The interval is for the share in the population from which `total` was drawn.
    """
    if total == 0:
        return Share(ppm=0, low_ppm=0, high_ppm=WHOLE)
    # Wilson (1927), multiplied by 2 n in numerator and denominator. z2 is z * z, scaled by 10**12.
    scale = _MICRO * _MICRO
    z2 = _Z * _Z
    center = 2 * count * scale + z2
    spread = isqrt(_Z * _Z * (z2 * total + 4 * count * (total - count) * scale) // total)
    width = 2 * (total * scale + z2)
    return Share(
        ppm=count * WHOLE // total,
        low_ppm=max((center - spread) * WHOLE // width, 0),
        high_ppm=min(-(-(center + spread) * WHOLE // width), WHOLE),
    )
