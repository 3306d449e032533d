"""Deliver dispute notices while simulated payments are sent."""

import heapq
import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from uuid import UUID

from django.db import Error, close_old_connections, connections

from payments import actors
from payments.application import disputes, idempotency
from payments.application.dispatch import CommandContext
from payments.domain.payment.commands import AnyNotice
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Status
from payments.traffic import dispute_stories
from payments.traffic.dispute_stories import Paid
from payments.traffic.senders import Send
from payments.traffic.simulation import Attempt

# The length of a simulated day, because a live simulation cannot wait for weeks.
_DAY: Final = timedelta(seconds=1)
_PAUSE_SECONDS: Final = 0.1


class Disputing:
    """A thread that disputes a share of the completed payments. A simulated day takes a second."""

    def __init__(self, client_id: UUID, share: float) -> None:
        self._client_id, self._share = client_id, share
        self._due: list[tuple[datetime, int, AnyNotice]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.delivered = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def after(self, send: Send) -> Send:
        """Return a sender that also plans disputes of the payments that `send` completes."""

        def send_and_plan(attempt: Attempt) -> str:
            status = send(attempt)
            if status == Status.COMPLETED:
                payment_id = idempotency.payment_id(self._client_id, attempt.key)
                paid = Paid(payment_id, self._client_id, attempt, datetime.now(UTC))
                with self._lock:
                    for notice in dispute_stories.notices(paid, self._share, day=_DAY):
                        heapq.heappush(self._due, (notice.at, next(self._number), notice))
            return status

        return send_and_plan

    def _work(self) -> None:
        try:
            while not self._stop.wait(_PAUSE_SECONDS):
                while (notice := self._next()) is not None:
                    self._deliver(notice)
        finally:
            connections.close_all()

    def _next(self) -> AnyNotice | None:
        with self._lock:
            if self._due and self._due[0][0] <= datetime.now(UTC):
                return heapq.heappop(self._due)[2]
            return None

    def _deliver(self, notice: AnyNotice) -> None:
        try:
            disputes.handle(notice, CommandContext(actor=actors.client(self._client_id)))
            self.delivered += 1
        except PaymentError:
            pass  # staff have changed the payment since then
        except Error:
            close_old_connections()  # the next notice connects again
