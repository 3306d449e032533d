"""Ends the reviews that nobody finished in time: found in the queue, decided on in the log."""

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
    """Expire what was to be decided by `at`, yielding the payment of each attempt."""
    for payment_id in ports.connected().due_reviews(at=at):
        command = ExpireReview(payment_id=payment_id, client_id=None, at=at)
        try:
            dispatch(command, _CONTEXT)
        except (PaymentError, StaleVersion) as error:
            # The queue lags: somebody decided in time, or another worker was here.
            logger.debug("%s", error)
        except django.db.Error:
            raise
        except Exception:
            # One payment that cannot be read must not keep all others open.
            logger.exception("The review of payment %s cannot be ended.", payment_id)
        yield payment_id
