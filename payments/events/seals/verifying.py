"""Verify the log against its seals in constant memory, and locate each difference.

PostgreSQL hashes the events of a seal in one statement and returns only the chain. Several connections work
at the same time. Digests are fetched event by event only if the chain differs.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby, zip_longest
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from msgspec import UNSET, Struct

from payments.database import cursor, separate_connection
from payments.events.seals import keys, memory, seal, sealing, table
from payments.events.seals.findings import Finding, Findings, Kind
from payments.events.seals.heads import Head
from payments.events.seals.seal import Seal, Statement

# Counting stops here: with so many unsealed events, the exact number does not matter.
COUNTED_TO: Final = 100_000

# Positions below 1 are never assigned, but an event that was forged there must be found.
_LOWEST: Final = -(2**63)

# Read at most one event more than was sealed. The extra event changes the chain.
_CHAIN: Final = f"""
SELECT pg_catalog.sha256(%(previous)s::bytea || pg_catalog.string_agg(
         pg_catalog.int8send(position) || leaf, ''::bytea ORDER BY position)),
       pg_catalog.trunc(extract(epoch FROM %(sealed_at)s::timestamptz - pg_catalog.min(recorded_at)
         FILTER (WHERE pg_catalog.isfinite(recorded_at))))
  FROM (SELECT position, recorded_at, {seal.LEAF} AS leaf FROM events_event
         WHERE position BETWEEN %(first)s AND %(last)s ORDER BY position LIMIT %(events)s::int + 1
       ) AS found
"""  # noqa: S608 - only constants
_DIGESTS: Final = f"""
COPY (SELECT position, pg_catalog.substr({seal.LEAF}, 1, {seal.DIGEST_BYTES}) FROM events_event
       WHERE position BETWEEN {{first}} AND {{last}} ORDER BY position) TO STDOUT (FORMAT BINARY)
"""  # noqa: S608 - only constants
_UNSEALED: Final = """
SELECT pg_catalog.count(*), pg_catalog.min(position),
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(recorded_at)
         FILTER (WHERE pg_catalog.isfinite(recorded_at))), 0)::float8
  FROM (SELECT position, recorded_at FROM events_event WHERE position > %s ORDER BY position LIMIT %s)
    AS later
"""
_LATE_SECONDS: Final = 3_600
# Let no other functions, operators or tables take precedence over those of PostgreSQL and the
# service.
_OWN_PATH: Final = """
SELECT pg_catalog.set_config(
  'search_path', 'pg_catalog, ' || pg_catalog.quote_ident(pg_catalog.current_schema()) || ', pg_temp', false)
"""

_Session = psycopg.Connection[tuple[Any, ...]]


class Report(Struct, frozen=True, kw_only=True):
    """The result. `head` is the last valid seal; `unsealed` counts up to COUNTED_TO."""

    seals: int
    events: int
    head: Head | None
    unsealed: int
    findings: Findings


class _Broken(Exception):
    """The seal is invalid; the message says why."""


class _Link(Struct, frozen=True):
    """A place in the chain of seals: the seal if it is valid, and the findings about it."""

    findings: Findings
    seal: Seal | None = None
    statement: Statement | None = None


def last_position() -> int:
    """Return the last position that the last seal claims to cover, for a progress bar."""
    row = table.last()
    try:
        return seal.decode(row[1]).last if row else 0
    except msgspec.DecodeError:
        return 0


def verify(
    trusted: frozenset[str],
    *,
    against: Head | None = None,
    jobs: int = 2,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Compare sealed events with their seals, each seal with the previous one, and all with heads.

    The heads are `against` and the one that this host remembers. `trusted` are public keys. `progress` gets
    the last position done. Raises NotAHead, and the database errors of Django and psycopg.
    """
    findings = Findings()
    known = [head for head in (against, memory.recall(trusted)) if head is not None]
    seals = events = 0
    head: Head | None = None
    for link in _checked(_links(trusted, known), jobs, known):
        findings.extend(link.findings)
        if link.seal is not None and link.statement is not None:
            seals += 1
            events += link.statement.events
            head = Head(link.statement, link.seal.signature.hex())
            progress(link.statement.last)
    findings.recognize_moved()
    with cursor() as cur:
        row = cur.execute(_UNSEALED, (head.seal.last if head else 0, COUNTED_TO)).fetchone()
    assert row is not None, "count returns a row"  # noqa: S101
    unsealed, first, seconds = row
    if seconds > sealing.LONGEST_UNSEALED_SECONDS:
        detail = f"the oldest event without a seal was recorded {seconds / 60:,.0f} minutes ago"
        number = head.seal.number + 1 if head else 1
        findings.add(_finding(Kind.UNSEALED, number, first, detail))
    return Report(seals=seals, events=events, head=head, unsealed=unsealed, findings=findings)


def _links(trusted: frozenset[str], known: Sequence[Head]) -> Iterator[_Link]:
    """Yield the chain, each seal compared with the previous one and with the known heads."""
    number = covered = 0
    log = table.known_identity()
    named = False
    previous: str | None = seal.BEFORE_THE_FIRST  # None: unknown
    for stored in table.read(after=_LOWEST):
        findings = Findings()
        if stored.number > number + 1:
            detail = f"up to seal {stored.number - 1}; their events cannot be verified"
            findings.add(_finding(Kind.SEAL_MISSING, number + 1, covered + 1, detail))
            previous = None
        number = stored.number
        try:
            statement = _valid_statement(
                stored, trusted, covered=covered, previous=previous, log=log, named=named
            )
        except _Broken as broken:
            detail = f"{broken}; its events cannot be verified"
            findings.add(_finding(Kind.SEAL_BROKEN, number, covered + 1, detail))
            previous = None
            yield _Link(findings)
            continue
        if any(head.seal.number == number and head.seal != statement for head in known):
            detail = "the head has another seal with this number"
            findings.add(_finding(Kind.REWRITTEN, number, statement.first, detail))
        covered, previous = statement.last, statement.chain
        if statement.log is not UNSET:
            log, named = statement.log, True
        yield _Link(findings, stored, statement)
    beyond = [head.seal for head in known if head.seal.number > number]
    if beyond:
        last = max(beyond, key=lambda each: each.number)
        findings = Findings()
        detail = f"the head has seals up to {last.number}, position {last.last}"
        if covered < last.last:
            findings.add(_finding(Kind.CUT, number + 1, covered + 1, detail))
        else:
            # The same events were sealed again with fewer seals.
            findings.add(_finding(Kind.REWRITTEN, last.number, last.first, detail))
        yield _Link(findings)


def _valid_statement(
    stored: Seal,
    trusted: frozenset[str],
    *,
    covered: int,
    previous: str | None,
    log: UUID | None,
    named: bool,
) -> Statement:
    """Return the seal's statement after checking its signature and place. Raises _Broken."""
    try:
        statement = seal.decode(stored.statement)
    except msgspec.DecodeError as error:
        raise _Broken(f"its statement cannot be read ({error})") from error
    if statement.key not in trusted:
        raise _Broken(f"it is signed with key {statement.key}, which is not trusted")
    if not keys.is_signed(stored.statement.encode(), stored.signature, statement.key):
        raise _Broken("its signature does not match")
    if stored.number != statement.number:
        raise _Broken(f"it contains seal {statement.number}")
    if named if statement.log is UNSET else log not in {None, statement.log}:
        raise _Broken(f"it belongs to another log, not to {log}")
    if seal.index(stored.positions, stored.digests) != statement.index:
        raise _Broken("its positions or digests differ from the signed ones")
    if previous not in {None, statement.previous} or statement.first <= covered:
        raise _Broken("it does not follow the previous seal")
    return statement


def _checked(links: Iterator[_Link], jobs: int, known: Sequence[Head]) -> Iterator[_Link]:
    """Yield the links in order, with the findings of their events. Uses `jobs` connections at once."""
    with ExitStack() as opened:
        idle: SimpleQueue[_Session] = SimpleQueue()
        for _ in range(jobs):
            session = opened.enter_context(separate_connection())
            session.execute(_OWN_PATH)
            idle.put(session)
        pool = opened.enter_context(ThreadPoolExecutor(jobs))
        # Seals up to a head are not late: the head proves that they existed when it was written.
        proven = max((head.seal.number for head in known), default=0)
        running: deque[Future[_Link]] = deque()
        for link in links:
            running.append(pool.submit(_check, idle, link, proven))
            if len(running) > 2 * jobs:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _check(idle: "SimpleQueue[_Session]", link: _Link, proven: int) -> _Link:
    """Compare the events of the link with its seal, and return the link with its findings."""
    if link.seal is None or link.statement is None:
        return link
    statement = link.statement
    session = idle.get()
    try:
        first = statement.first if statement.number > 1 else _LOWEST
        parameters = {
            "previous": bytes.fromhex(statement.previous),
            "first": first,
            "last": statement.last,
            "events": statement.events,
            "sealed_at": statement.sealed_at,
        }
        row = session.execute(_CHAIN, parameters, binary=True).fetchone()
        assert row is not None, "an aggregate returns a row"  # noqa: S101
        if row[0] is None or row[0].hex() != statement.chain:
            _compare(session, link.seal, first, statement.last, link.findings)
        if row[1] is not None and row[1] > _LATE_SECONDS and statement.number > proven:
            detail = f"its oldest event was recorded {row[1] / 3600:,.1f} hours before it was made"
            link.findings.add(_finding(Kind.LATE, statement.number, statement.first, detail))
    finally:
        idle.put(session)
    return link


def _compare(session: _Session, stored: Seal, first: int, last: int, findings: Findings) -> None:
    """Add a finding for each event that differs."""
    none_yet = findings.total
    sealed = zip(seal.from_ranges(stored.positions), seal.each_digest(stored.digests), strict=True)
    statement = _DIGESTS.format(first=first, last=last).encode()  # COPY takes no parameters
    with session.cursor() as cur, cur.copy(statement) as copy:
        copy.set_types(("int8", "bytea"))
        both = heapq.merge(
            ((position, "sealed", digest) for position, digest in sealed),
            ((position, "stored", digest) for position, digest in copy.rows()),
            key=itemgetter(0),
        )
        for position, found in groupby(both, key=itemgetter(0)):
            each = [(source, digest) for _, source, digest in found]
            was = next((digest for source, digest in each if source == "sealed"), None)
            now = [digest for source, digest in each if source == "stored"]
            if was is not None and was in now:
                now.remove(was)
                kinds = [Kind.ADDED] * len(now)  # at the position of a sealed event
                was = None
            elif was is None:
                kinds = [Kind.ADDED] * len(now)
            elif not now:
                kinds = [Kind.DELETED]
            else:
                kinds = [Kind.CHANGED, *[Kind.ADDED] * (len(now) - 1)]
            for kind, digest in zip_longest(kinds, now):
                findings.add(
                    Finding(
                        kind=kind, position=position, seal=stored.number, sealed=was, stored=digest
                    )
                )
                was = None
    if findings.total == none_yet:
        # An attacker with enough time can find a change that keeps the short digest.
        detail = f"this event or a later one up to {last}; their short digests are unchanged"
        findings.add(_finding(Kind.CHANGED, stored.number, max(first, 1), detail))


def _finding(kind: Kind, number: int, position: int, detail: str) -> Finding:
    return Finding(kind=kind, seal=number, position=position, detail=detail)
