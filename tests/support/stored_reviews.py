"""Samples of stored review events (see stored_events). Never change one."""

from typing import Final

from payments.domain.payment.codes import RejectionReason
from payments.domain.payment.events import AnyPaymentEvent
from tests.support.example_events import (
    approved,
    assigned,
    claimed,
    escalated,
    expired,
    first_approved,
    processed_after_approval,
    rejected,
    released,
    resumed,
    snoozed,
)
from tests.support.examples import LARGE, NOON, NOTE, REVIEWER
from tests.support.stored_disputes import SMALL_TERMS

LARGE_TERMS: Final = (
    SMALL_TERMS.replace("10000", "1500000") + ',"flagged_at":"2026-01-05T12:00:00Z"'
)

SAMPLES: Final[list[tuple[str, int, str, AnyPaymentEvent]]] = [
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS}}}',
        processed_after_approval(),
    ),
    (
        "payment.review_claimed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","until":"2026-01-05T15:15:00Z"}}',
        claimed(),
    ),
    (
        "payment.review_released",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"}}',
        released(),
    ),
    (
        "payment.review_escalated",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","reason":"suspicious_pattern"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        escalated(),
    ),
    (
        "payment.first_approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"}',
        first_approved(amount=LARGE),
    ),
    (
        "payment.expired",
        1,
        f'{{"at":"2026-01-12T12:00:00Z",{LARGE_TERMS},"deadline":"2026-01-12T12:00:00Z"}}',
        expired(),
    ),
    (
        "payment.approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"}',
        approved(),
    ),
    (
        "payment.approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        approved(note=NOTE),
    ),
    (
        "payment.rejected",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","reason":"other"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        rejected(note=NOTE, reason=RejectionReason.OTHER),
    ),
    (
        "payment.review_claimed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","until":"2026-01-05T15:15:00Z"'
        ',"extends":true}',
        claimed(extends=True),
    ),
    (
        "payment.first_approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer","claimed_at":"2026-01-05T12:00:00Z"}',
        first_approved(amount=LARGE, claimed_at=NOON),
    ),
    (
        "payment.approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer","claimed_at":"2026-01-05T12:00:00Z"}',
        approved(claimed_at=NOON),
    ),
    (
        "payment.rejected",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","reason":"suspected_fraud"'
        ',"claimed_at":"2026-01-05T12:00:00Z"}',
        rejected(claimed_at=NOON),
    ),
    (
        "payment.expired",
        1,
        f'{{"at":"2026-01-12T12:00:00Z",{LARGE_TERMS},"deadline":"2026-01-12T12:00:00Z"'
        ',"held_by":"staff:7"}',
        expired(held_by=REVIEWER),
    ),
    (
        "payment.review_snoozed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7","until":"2026-01-06T15:00:00Z"'
        ',"reason":"waiting_for_customer"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        snoozed(note=NOTE),
    ),
    (
        "payment.review_resumed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"reviewer":"staff:7"}}',
        resumed(),
    ),
    (
        "payment.review_assigned",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"to":"staff:8","by":"staff:7"}}',
        assigned(),
    ),
    (
        "payment.review_assigned",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{LARGE_TERMS},"to":null,"by":"staff:7"}}',
        assigned(to=None),
    ),
]
