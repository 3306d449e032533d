"""Ends the reviews that nobody finished in time: found in the queue, decided on in the log."""

import logging
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Final, Protocol, cast
from uuid import UUID

import django.db
from django.conf import settings
from django.utils.module_loading import import_string

from payments import actors
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment.commands import ExpireReview
from payments.domain.payment.refusals import PaymentError
from payments.events.store import StaleVersion

logger = logging.getLogger(__name__)

_CONTEXT: Final = CommandContext(actor=actors.system("expiry"))


class DueReviewSource(Protocol):
    def __call__(self, *, at: datetime) -> Iterator[UUID]: ...


@cache
def source() -> DueReviewSource:
    """The function that `settings.DUE_REVIEW_SOURCE` names."""
    return cast("DueReviewSource", import_string(settings.DUE_REVIEW_SOURCE))


def expire_due(at: datetime) -> Iterator[UUID]:
    """Expire what was to be decided by `at`, yielding the payment of each attempt."""
    for payment_id in source()(at=at):
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
