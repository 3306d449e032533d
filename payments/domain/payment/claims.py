"""A reviewer's claim on a payment: a lease that lapses by itself."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

# Long enough to read the evidence and make a call, short enough if a reviewer forgets the claim.
LEASE: Final = timedelta(minutes=15)


class Lease(Struct, frozen=True, kw_only=True):
    """The claim of `reviewer` since a time, extensions included, which lapses at `until`."""

    reviewer: str
    since: datetime
    until: datetime


def until(at: datetime, *, deadline: datetime) -> datetime:
    """Return when a claim that is made `at` a time lapses: no later than the review's deadline."""
    return min(at + LEASE, deadline)


def seconds_left(lease: Lease, at: datetime) -> int:
    return int((lease.until - at).total_seconds())


def claimed(lease: Lease | None, *, reviewer: str, at: datetime, until: datetime) -> Lease:
    """Return the lease after a claim, which extends the reviewer's own."""
    held = held_by(reviewer, lease, at)
    return Lease(reviewer=reviewer, since=at if held is None else held.since, until=until)


def held_by(reviewer: str, lease: Lease | None, at: datetime) -> Lease | None:
    """Return the lease if the reviewer holds it at that time."""
    held = unlapsed(lease, at)
    return held if held is not None and held.reviewer == reviewer else None


def unlapsed(lease: Lease | None, at: datetime) -> Lease | None:
    """Return the lease unless it has lapsed at that time."""
    return lease if lease is not None and at < lease.until else None
