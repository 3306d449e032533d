"""Samples of stored payment events, each with the event it must be read as. Never change one."""

from typing import Final
from uuid import UUID

from msgspec.structs import replace

from payments.domain.cards import Brand, Card
from payments.domain.files import AttachmentRef
from payments.domain.list_items import ListMatch, ListName
from payments.domain.payment.codes import FailureReason, RefundReason
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.findings import Approval, Finding
from payments.domain.risk.assessment import FiredRule, NearMiss, RiskAssessment
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.policy import Band, Verdict
from payments.domain.signals import Signals
from tests.support import stored_disputes, stored_reviews
from tests.support.example_events import (
    cancelled,
    failed,
    flagged,
    initiated,
    note_added,
    processed,
    refunded,
)
from tests.support.examples import LATER, NOON, NOTE, REVIEWER, SENIOR, SMALL
from tests.support.stored_disputes import SMALL_TERMS
from tests.support.stored_reviews import LARGE_TERMS

_POLICY: Final = "3b9b85a5e9e34250339692bf59358d29bda545bf5398224006c5bbbce9521d65"
# Older code stored features without a velocity and assessments without near misses and limits.
_FIRST_KNOWN: Final = RiskFeatures(paid_by_card_before=True, position=40, age_ms=0)
_FIRST_LOW: Final = RiskAssessment(
    score=0, band=Band.LOW, review=False, fired=(), features=_FIRST_KNOWN, policy_id=_POLICY
)
_FIRST_HIGH: Final = RiskAssessment(
    score=80,
    band=Band.HIGH,
    review=True,
    fired=(FiredRule("first_card_payment_large", 80),),
    features=replace(_FIRST_KNOWN, paid_by_card_before=False),
    policy_id=_POLICY,
)
_LISTED: Final = replace(_FIRST_KNOWN, lists=(ListMatch(ListName("stolen-cards"), 12),))
_FULL: Final = RiskAssessment(
    score=140,
    band=Band.HIGH,
    review=False,
    block=True,
    fired=(FiredRule("customer_blocked", 100, Verdict.BLOCK), FiredRule("many_payments_1h", 40)),
    near_misses=(NearMiss("large_volume_24h", 40, "volume_over", 4_600_000, 5_000_000),),
    features=RiskFeatures(
        paid_by_card_before=True,
        position=40,
        age_ms=12,
        new_customer=True,
        blocked=True,
        country="DE",
        velocity=Velocity(count_1h=20, volume_1h=100, count_24h=21, volume_24h=4_590_000),
    ),
    policy_id=_POLICY,
    review_over=1_000_000,
    block_over=9_000_000,
)

# (event type, schema version, stored data, event)
SAMPLES: Final[list[tuple[str, int, str, AnyPaymentEvent]]] = [
    ("payment.initiated", 1, f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS}}}', initiated()),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"reference":"order-981"}}',
        initiated(reference="order-981"),
    ),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS}'
        f',"card":{{"fingerprint":"{"c0" * 16}","brand":"visa","last4":"4242"}}}}',
        initiated(card=Card(fingerprint="c0" * 16, brand=Brand.VISA, last4="4242")),
    ),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS}'
        f',"signals":{{"ip_address":"{"1f" * 16}","email":"{"e0" * 16}"}}}}',
        initiated(signals=Signals(ip_address="1f" * 16, email="e0" * 16)),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"risk":{{"score":0,"band":"low","review":false'
        ',"fired":[],"features":{"paid_by_card_before":true,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=_FIRST_LOW),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"risk":{{"score":0,"band":"low","review":false'
        ',"fired":[],"features":{"paid_by_card_before":true,"position":40,"age_ms":0'
        ',"new_customer":false,"blocked":false}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(
            risk=replace(
                _FIRST_LOW, features=replace(_FIRST_KNOWN, new_customer=False, blocked=False)
            )
        ),
    ),
    (
        "payment.failed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS.replace("10000", "2500001")}'
        ',"reason":"method_limit_exceeded","limit":{"minor":2500000,"currency":"USD"}}',
        failed(),
    ),
    (
        "payment.failed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"reason":"blocked_by_policy","risk":{{"score":140'
        ',"band":"high","review":false,"block":true,"fired":[{"reason":"customer_blocked","points":100,"then":"block"}'
        ',{"reason":"many_payments_1h","points":40}],"near_misses":[{"reason":"large_volume_24h"'
        ',"points":40,"condition":"volume_over","value":4600000,"limit":5000000}]'
        ',"features":{"paid_by_card_before":true,"position":40,"age_ms":12,"new_customer":true'
        ',"blocked":true,"country":"DE","velocity":{"count_1h":20,"volume_1h":100,"count_24h":21'
        ',"volume_24h":4590000}}'
        f',"policy_id":"{_POLICY}","review_over":1000000,"block_over":9000000}}}}',
        failed(amount=SMALL, reason=FailureReason.BLOCKED_BY_POLICY, limit=None, risk=_FULL),
    ),
    (
        "payment.flagged_for_review",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{LARGE_TERMS},"risk":{{"score":80,"band":"high","review":true'
        ',"fired":[{"reason":"first_card_payment_large","points":80}]'
        ',"features":{"paid_by_card_before":false,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}}}}',
        flagged(risk=_FIRST_HIGH, deadline=None),
    ),
    (
        "payment.flagged_for_review",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{LARGE_TERMS},"risk":{{"score":80,"band":"high","review":true'
        ',"fired":[{"reason":"first_card_payment_large","points":80}]'
        ',"features":{"paid_by_card_before":false,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}},"deadline":"2026-01-12T12:00:00Z"}}',
        flagged(risk=_FIRST_HIGH),
    ),
    (
        "payment.flagged_for_review",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{LARGE_TERMS},"risk":{{"score":120,"band":"high","review":true'
        ',"four_eyes":true,"reject_advised":true'
        ',"fired":[{"reason":"first_card_payment_large","points":80}]'
        ',"features":{"paid_by_card_before":false,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}},"deadline":"2026-01-12T12:00:00Z","policy_author":"staff:8"}}',
        flagged(
            risk=replace(_FIRST_HIGH, score=120, four_eyes=True, reject_advised=True),
            policy_author="staff:8",
        ),
    ),
    (
        "payment.cancelled",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"reason":"requested_by_customer"}}',
        cancelled(),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"requested_by_customer"}',
        refunded(40_00, so_far=60_00),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"requested_by_customer","reference":"return-1"}',
        refunded(40_00, so_far=60_00, reference="return-1"),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"risk":{{"score":0,"band":"low","review":false,"fired":[]'
        ',"features":{"paid_by_card_before":true,"position":40,"age_ms":0'
        ',"lists":[{"list":"stolen-cards","version":12}]}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=replace(_FIRST_LOW, features=_LISTED)),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{SMALL_TERMS},"risk":{{"score":0,"band":"low","review":false,"fired":[]'
        ',"features":{"paid_by_card_before":true,"position":40,"age_ms":0,"lists":[]}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=replace(_FIRST_LOW, features=replace(_LISTED, lists=()))),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"fraudulent","finding":{"fraud":true,"approvals":'
        '[{"reviewer":"staff:7","at":"2026-01-05T12:00:00Z"}'
        ',{"reviewer":"staff:9","at":"2026-01-05T15:00:00Z"}]}}',
        refunded(
            40_00,
            so_far=60_00,
            reason=RefundReason.FRAUDULENT,
            finding=Finding(True, (Approval(REVIEWER, NOON), Approval(SENIOR, LATER))),
        ),
    ),
    (
        "payment.note_added",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"author":"staff:7"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        note_added(),
    ),
    (
        "payment.note_added",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"author":"staff:7"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}'
        ',"mentions":["staff:8"],"attachments":[{"attachment_id":"0192f000-0000-4000-8000-00000000e002"'
        f',"digest":"{"6f" * 32}","size":5,"media_type":"text/plain"}}]}}',
        note_added(
            mentions=("staff:8",),
            attachments=(
                AttachmentRef(
                    UUID("0192f000-0000-4000-8000-00000000e002"), "6f" * 32, 5, "text/plain"
                ),
            ),
        ),
    ),
    *stored_reviews.SAMPLES,
    *stored_disputes.SAMPLES,
    (
        "payment.cancelled",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"reason":"requested_by_customer"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        cancelled(note=NOTE),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{SMALL_TERMS},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"requested_by_customer"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        refunded(40_00, so_far=60_00, note=NOTE),
    ),
]
