"""Samples of stored dispute events (see stored_events). Never change one."""

from typing import Final

from payments.domain.payment.codes import DisputeKind, DisputeReason
from payments.domain.payment.events import AnyPaymentEvent, DisputeFigures
from payments.domain.payment.findings import Approval, Finding
from tests.support.example_events import (
    dispute_closed,
    dispute_responded,
    dispute_updated,
    disputed,
)
from tests.support.examples import NOON, NOTE, OPENED, REVIEWER, SMALL, usd

TERMS: Final = (
    '"client_id":"0192f000-0000-4000-8000-00000000c001"'
    ',"customer_id":"0192f000-0000-8000-8000-00000000d001"'
)
SMALL_TERMS: Final = (
    f'{TERMS},"amount":{{"minor":10000,"currency":"USD"}},"method":"credit_card"'
    ',"initiated_at":"2026-01-05T12:00:00Z"'
)
_DISPUTE: Final = '"dispute_id":"dp_1042"'
_STATED: Final = (
    '"kind":"chargeback","reason":"fraudulent","network":"visa","network_reason_code":"10.4"'
    ',"disputed":{"minor":10000,"currency":"USD"},"respond_by":"2026-02-18T15:00:00Z"'
)

SAMPLES: Final[list[tuple[str, int, str, AnyPaymentEvent]]] = [
    (
        "payment.disputed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},{_STATED},"opened_at":"2026-02-04T15:00:00Z"}}',
        disputed(),
    ),
    (
        "payment.disputed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"kind":"inquiry","reason":"general"'
        ',"disputed":{"minor":6000,"currency":"USD"},"opened_at":"2026-02-04T15:00:00Z"'
        ',"inferred":true,"refunded":{"minor":4000,"currency":"USD"}}',
        disputed(
            kind=DisputeKind.INQUIRY,
            reason=DisputeReason.GENERAL,
            network=None,
            network_reason_code=None,
            disputed=usd(60_00),
            respond_by=None,
            inferred=True,
            refunded=usd(40_00),
        ),
    ),
    (
        "payment.dispute_updated",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},{_STATED},"updated_at":"2026-02-05T15:00:00Z"}}',
        dispute_updated(),
    ),
    (
        "payment.dispute_responded",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"by":"staff:9"'
        ',"responded_at":"2026-02-06T15:00:00Z"}',
        dispute_responded(),
    ),
    (
        "payment.dispute_responded",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"by":"staff:9"'
        ',"responded_at":"2026-02-06T15:00:00Z"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}'
        f',"evidence":["{"ab" * 32}","{"cd" * 32}"]}}',
        dispute_responded(note=NOTE, evidence=("ab" * 32, "cd" * 32)),
    ),
    (
        "payment.dispute_closed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"outcome":"lost"'
        ',"lost":{"minor":10000,"currency":"USD"},"closed_at":"2026-02-08T15:00:00Z"}',
        dispute_closed(),
    ),
    (
        "payment.dispute_closed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"outcome":"lost"'
        ',"lost":{"minor":10000,"currency":"USD"},"closed_at":"2026-02-08T15:00:00Z"'
        ',"before":{"opened_at":"2026-02-04T15:00:00Z","disputed":{"minor":10000,"currency":"USD"}'
        ',"lost":null},"after":{"opened_at":"2026-02-04T15:00:00Z"'
        ',"disputed":{"minor":10000,"currency":"USD"},"lost":{"minor":10000,"currency":"USD"}}}',
        dispute_closed(
            before=DisputeFigures(OPENED, SMALL), after=DisputeFigures(OPENED, SMALL, SMALL)
        ),
    ),
    (
        "payment.dispute_closed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{SMALL_TERMS},{_DISPUTE},"outcome":"lost"'
        ',"lost":{"minor":10000,"currency":"USD"},"closed_at":"2026-02-08T15:00:00Z"'
        ',"finding":{"fraud":true,"approvals":[{"reviewer":"staff:7","at":"2026-01-05T12:00:00Z"}]}}',
        dispute_closed(finding=Finding(True, (Approval(REVIEWER, NOON),))),
    ),
]
