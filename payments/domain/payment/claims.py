"""A reviewer's claim on a payment: a lease that lapses by itself."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

# Enough time to read the evidence and make a call, but not much more if a claim is forgotten.
LEASE: Final = timedelta(minutes=15)


class Lease(Struct, frozen=True, kw_only=True):
    """The claim of `reviewer` from `since` to `until`. An extension changes only `until`."""

    reviewer: str
    since: datetime
    until: datetime


def until(at: datetime, *, deadline: datetime) -> datetime:
    """Return when a claim that is made at `at` lapses, which is no later than `deadline`."""
    return min(at + LEASE, deadline)


def seconds_left(lease: Lease, at: datetime) -> int:
    return int((lease.until - at).total_seconds())


def claimed(lease: Lease | None, *, reviewer: str, at: datetime, until: datetime) -> Lease:
    """Return the lease after a claim. It extends a lease that the reviewer already holds."""
    held = held_by(reviewer, lease, at)
    return Lease(reviewer=reviewer, since=at if held is None else held.since, until=until)


def held_by(reviewer: str, lease: Lease | None, at: datetime) -> Lease | None:
    """Return the lease if the reviewer holds it at that time."""
    held = unlapsed(lease, at)
    return held if held is not None and held.reviewer == reviewer else None


def unlapsed(lease: Lease | None, at: datetime) -> Lease | None:
    """Return the lease unless it has lapsed at that time."""
    return lease if lease is not None and at < lease.until else None
