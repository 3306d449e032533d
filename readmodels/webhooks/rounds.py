"""One round of a delivery: send groups of events, then decide what to store.

`settle` is a pure function of what was sent.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from readmodels.feed.events import FeedEvent
from readmodels.webhooks import schedule, verdicts
from readmodels.webhooks.leases import Changes, Due, Held, Lease, Tried
from readmodels.webhooks.messages import Message
from readmodels.webhooks.models import Outcome
from readmodels.webhooks.sending import Answer
from readmodels.webhooks.verdicts import Verdict

# An endpoint that rejects events of more payments counts as failing, so that it cannot fill the table.
MOST_HELD: Final = 1_000
# The most events of a held payment in one round.
MOST_OF_PAYMENT: Final = 100
_THREADS: Final = 8
_LONGEST_REASON: Final = 200
_LONGEST_ERROR: Final = 500


class Group(Struct):
    """Events of one payment, to send in order until one is not delivered.

    `due` is the payment's row if it is held. `rejected` is the answer to the event after those delivered.
    """

    payment_id: UUID
    events: list[FeedEvent]
    due: Due | None = None
    delivered: int = 0
    rejected: Answer | None = None

    @property
    def left(self) -> list[FeedEvent]:
        return self.events[self.delivered :]


class Failure(Struct, frozen=True):
    """The answer that ended the round."""

    answer: Answer
    gone: bool


class Round:
    """Several threads that send groups, each group in order, until the endpoint fails."""

    def __init__(
        self,
        lease: Lease,
        send: Callable[[Message, datetime], Answer],
        *,
        now: Callable[[], datetime],
        may_start: Callable[[], bool],
    ) -> None:
        self.attempts: list[Tried] = []
        self.failure: Failure | None = None
        self._lease = lease
        self._send = send
        self._now = now
        self._may_start = may_start
        self._suspect: tuple[Group, Answer] | None = None
        self._first = ""  # the id of the event after the cursor, which ended earlier rounds
        self._room = MOST_HELD - len(lease.held)
        self._lock = threading.Lock()

    def run(self, groups: Sequence[Group]) -> None:
        """Send the groups. A failing endpoint gets one request at a time until one is delivered."""
        self._first = next((each.events[0].id for each in groups if each.due is None), "")
        waiting = deque(groups)
        while waiting and (len(waiting) == 1 or self._lease.failures):
            group = waiting.popleft()
            self._send_group(group)
            if group.delivered:
                break
        if waiting and self.failure is None:
            with ThreadPoolExecutor(min(_THREADS, len(waiting))) as pool:
                deque(pool.map(self._send_group, waiting), maxlen=0)
        if self._suspect is not None and self.failure is None:
            if any(group.delivered for group in groups):
                self._clear_suspicion()
            else:
                self.failure = Failure(self._suspect[1], gone=False)

    def _send_group(self, group: Group) -> None:
        for event in group.events:
            if self.failure is not None or not self._may_start():
                return
            if not self._deliver(group, event):
                return
            group.delivered += 1

    def _deliver(self, group: Group, event: FeedEvent) -> bool:
        message = Message.of_event(event, thin=self._lease.thin)
        at = self._now()
        answer = self._send(message, at)
        verdict = verdicts.judge(answer)
        self.attempts.append(
            tried(message, answer, verdict, at=at, number=self._number(group, event))
        )
        match verdict:
            case Verdict.DELIVERED:
                self._clear_suspicion()
                return True
            case Verdict.UNCLEAR if self._is_suspect(group, answer):
                pass
            case Verdict.REJECTED if group.due or self._take_room():
                group.rejected = answer
            case _:
                self.failure = self.failure or Failure(answer, verdict is Verdict.GONE)
        return False

    def _is_suspect(self, group: Group, answer: Answer) -> bool:
        """Return whether this event alone may have made the receiver fail.

        If the endpoint works, a held event is rejected at once. Any other event is rejected if some
        event is delivered in the same round. Two such answers without a delivery in between mean
        that the endpoint fails.
        """
        with self._lock:
            if group.due and not self._lease.failures:
                group.rejected = answer
                return True
            if self._suspect is not None:
                return False
            self._suspect = (group, answer)
            return True

    def _clear_suspicion(self) -> None:
        """Reject the suspected event, because the endpoint works."""
        with self._lock:
            suspect, self._suspect = self._suspect, None
        if suspect is not None:
            group, answer = suspect
            if group.due or self._take_room():
                group.rejected = answer

    def _number(self, group: Group, event: FeedEvent) -> int:
        """Return the number of the attempt.

        It is known for held payments and for the first event after the cursor. For others it is 1.
        """
        if group.due:
            return 1 if group.delivered else group.due.tries + 1
        return self._lease.failures + 1 if event.id == self._first else 1

    def _take_room(self) -> bool:
        with self._lock:
            self._room -= 1
            return self._room >= 0


def tried(
    message: Message, answer: Answer, verdict: Verdict, *, at: datetime, number: int
) -> Tried:
    """Return the attempt. Answers to delivered messages explain nothing, so they are not kept."""
    delivered = verdict is Verdict.DELIVERED
    rejected = verdict is Verdict.REJECTED
    return Tried(
        message_id=message.id,
        event_type=message.type,
        position=message.position,
        payment_id=message.payment_id,
        number=number,
        at=at,
        milliseconds=answer.milliseconds,
        outcome=Outcome.DELIVERED
        if delivered
        else Outcome.REJECTED
        if rejected
        else Outcome.FAILED,
        status=answer.status,
        error="" if delivered else verdicts.describe(answer)[:_LONGEST_ERROR],
        response="" if delivered else answer.response,
    )


def settle(
    lease: Lease,
    groups: Sequence[Group],
    *,
    upto: int,
    attempts: Sequence[Tried],
    failure: Failure | None,
    at: datetime,
    chance: Callable[[], float],
) -> Changes:
    """Return what to store after a round that read the feed up to `upto`."""
    changes = Changes(
        position=_cursor(groups, upto),
        failures=lease.failures,
        failing_since=lease.failing_since,
        attempts=list(attempts),
    )
    if any(group.delivered for group in groups):
        changes.failures, changes.failing_since = 0, None
    if failure is not None:
        _fail(changes, failure, at=at, chance=chance())
    for group in groups:
        _hold(changes, group, at=at, chance=chance())
    return changes


def _cursor(groups: Iterable[Group], upto: int) -> int:
    """Return the last position before the first event that is neither delivered nor held."""
    unsettled = (
        group.left[0].position
        for group in groups
        if group.due is None and group.rejected is None and group.left
    )
    return min(unsettled, default=upto + 1) - 1


def _fail(changes: Changes, failure: Failure, *, at: datetime, chance: float) -> None:
    changes.failures += 1
    changes.failing_since = changes.failing_since or at
    changes.next_attempt_at = schedule.next_attempt(
        changes.failures, at, chance=chance, asked=failure.answer.retry_after
    )
    if failure.gone:
        changes.disabled = "The endpoint answered 410 Gone."
    elif at - changes.failing_since >= schedule.DISABLE_AFTER:
        error = verdicts.describe(failure.answer)
        changes.disabled = f"Nothing was delivered for {schedule.DISABLE_AFTER.days} days. {error}"[
            :_LONGEST_REASON
        ]


def _hold(changes: Changes, group: Group, *, at: datetime, chance: float) -> None:
    """Add, change or delete the row of the group's payment."""
    if group.rejected is not None:
        _reject(changes, group, group.rejected, at=at, chance=chance)
    elif group.due is None:
        return
    elif not group.left and len(group.events) < MOST_OF_PAYMENT:
        changes.freed = [*changes.freed, group.payment_id]
    elif group.delivered:
        # The rest was not sent, because the round ended or had only the first events.
        _continue(changes, group, after=group.events[group.delivered - 1].position, at=at)


def _reject(changes: Changes, group: Group, answer: Answer, *, at: datetime, chance: float) -> None:
    event = group.left[0]
    again = group.due if group.due and group.due.tries and not group.delivered else None
    since = again.since if again else at
    if at - since >= schedule.DROP_AFTER:
        last = next(each for each in reversed(changes.attempts) if each.message_id == event.id)
        changes.attempts = [*changes.attempts, _drop(last, since, at)]
        _continue(changes, group, after=event.position, at=at)
        return
    tries = again.tries + 1 if again else 1
    held = Held(
        payment_id=group.payment_id,
        position=event.position,
        since=since,
        tries=tries,
        next_attempt_at=schedule.next_attempt(tries, at, chance=chance),
        error=verdicts.describe(answer)[:_LONGEST_ERROR],
    )
    changes.held = [*changes.held, held]


def _drop(last: Tried, since: datetime, at: datetime) -> Tried:
    hours = round((at - since) / timedelta(hours=1))
    return Tried(
        message_id=last.message_id,
        event_type=last.event_type,
        position=last.position,
        payment_id=last.payment_id,
        number=last.number,
        at=at,
        milliseconds=0,
        outcome=Outcome.DROPPED,
        status=last.status,
        error=f"Rejected for {hours} hours. It is not sent again.",
        response="",
    )


def _continue(changes: Changes, group: Group, *, after: int, at: datetime) -> None:
    """Let the payment continue at once with the event after this position."""
    held = Held(
        payment_id=group.payment_id,
        position=after + 1,
        since=at,
        tries=0,
        next_attempt_at=at,
        error="",
    )
    changes.held = [*changes.held, held]
