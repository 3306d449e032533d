"""Expire reviews after their deadline. The queue, which may lag, finds them. The log decides."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

import django.db

from payments import actors
from payments.application import ports
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment.commands import ExpireReview
from payments.domain.payment.refusals import PaymentError
from payments.events.store import StaleVersion

logger = logging.getLogger(__name__)

_CONTEXT: Final = CommandContext(actor=actors.system("expiry"))


def expire_due(at: datetime) -> Iterator[UUID]:
    """Expire the reviews whose deadline is not after `at`. Yield the payment of each attempt."""
    for payment_id in ports.connected.due_reviews(at=at):
        command = ExpireReview(payment_id=payment_id, client_id=None, at=at)
        try:
            dispatch(command, _CONTEXT)
        except (PaymentError, StaleVersion) as error:
            # The queue lags: a reviewer decided in time, or another worker expired the review.
            logger.debug("%s", error)
        except django.db.Error:
            raise
        except Exception:
            # One unreadable payment must not keep all other reviews open.
            logger.exception("The review of payment %s cannot be ended.", payment_id)
        yield payment_id
