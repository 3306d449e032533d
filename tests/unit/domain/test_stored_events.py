"""Stored events: databases contain these documents, so they must stay readable permanently.

If a test fails here, your change would break every log. Rename the field back, or give the event its next
schema version and an upcast. Never change a sample.
"""

import json
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.cards import Brand, Card
from payments.domain.list_items import ListMatch, ListName
from payments.domain.payment.events import (
    EVENT_CLASSES,
    AnyPaymentEvent,
    DisputeFigures,
    DisputeKind,
    DisputeReason,
    FailureReason,
    RejectionReason,
)
from payments.domain.risk.assessment import FiredRule, NearMiss, RiskAssessment
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.policy import Band, Verdict
from payments.domain.signals import Signals
from payments.events import codec, metadata
from payments.events.metadata import Metadata
from tests.support.examples import (
    LARGE,
    LATER,
    NOON,
    NOTE,
    OPENED,
    SMALL,
    approved,
    cancelled,
    claimed,
    dispute_closed,
    dispute_responded,
    dispute_updated,
    disputed,
    encoded,
    escalated,
    expired,
    failed,
    first_approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
    refunded,
    rejected,
    released,
    usd,
)

_TERMS: Final = (
    '"client_id":"0192f000-0000-4000-8000-00000000c001"'
    ',"customer_id":"0192f000-0000-8000-8000-00000000d001"'
)
_SMALL: Final = (
    f'{_TERMS},"amount":{{"minor":10000,"currency":"USD"}},"method":"credit_card"'
    ',"initiated_at":"2026-01-05T12:00:00Z"'
)
_LARGE: Final = _SMALL.replace("10000", "1500000") + ',"flagged_at":"2026-01-05T12:00:00Z"'
_DISPUTE: Final = '"dispute_id":"dp_1042"'
_STATED: Final = (
    '"kind":"chargeback","reason":"fraudulent","network":"visa","network_reason_code":"10.4"'
    ',"disputed":{"minor":10000,"currency":"USD"},"respond_by":"2026-02-18T15:00:00Z"'
)
_POLICY: Final = "3b9b85a5e9e34250339692bf59358d29bda545bf5398224006c5bbbce9521d65"
# From before features had a velocity and assessments had near misses and limits.
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
    ("payment.initiated", 1, f'{{"at":"2026-01-05T12:00:00Z",{_SMALL}}}', initiated()),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"reference":"order-981"}}',
        initiated(reference="order-981"),
    ),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL}'
        f',"card":{{"fingerprint":"{"c0" * 16}","brand":"visa","last4":"4242"}}}}',
        initiated(card=Card(fingerprint="c0" * 16, brand=Brand.VISA, last4="4242")),
    ),
    (
        "payment.initiated",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL}'
        f',"signals":{{"ip_address":"{"1f" * 16}","email":"{"e0" * 16}"}}}}',
        initiated(signals=Signals(ip_address="1f" * 16, email="e0" * 16)),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"risk":{{"score":0,"band":"low","review":false'
        ',"fired":[],"features":{"paid_by_card_before":true,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=_FIRST_LOW),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"risk":{{"score":0,"band":"low","review":false'
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
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE}}}',
        processed_after_approval(),
    ),
    (
        "payment.failed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL.replace("10000", "2500001")}'
        ',"reason":"method_limit_exceeded","limit":{"minor":2500000,"currency":"USD"}}',
        failed(),
    ),
    (
        "payment.failed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"reason":"blocked_by_policy","risk":{{"score":140'
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
        f'{{"at":"2026-01-05T12:00:00Z",{_LARGE},"risk":{{"score":80,"band":"high","review":true'
        ',"fired":[{"reason":"first_card_payment_large","points":80}]'
        ',"features":{"paid_by_card_before":false,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}}}}',
        flagged(risk=_FIRST_HIGH, deadline=None),
    ),
    (
        "payment.flagged_for_review",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_LARGE},"risk":{{"score":80,"band":"high","review":true'
        ',"fired":[{"reason":"first_card_payment_large","points":80}]'
        ',"features":{"paid_by_card_before":false,"position":40,"age_ms":0}'
        f',"policy_id":"{_POLICY}"}},"deadline":"2026-01-12T12:00:00Z"}}',
        flagged(risk=_FIRST_HIGH),
    ),
    (
        "payment.flagged_for_review",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_LARGE},"risk":{{"score":120,"band":"high","review":true'
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
        "payment.review_claimed",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7","until":"2026-01-05T15:15:00Z"}}',
        claimed(),
    ),
    (
        "payment.review_released",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7"}}',
        released(),
    ),
    (
        "payment.review_escalated",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7","reason":"suspicious_pattern"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        escalated(),
    ),
    (
        "payment.first_approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"}',
        first_approved(amount=LARGE),
    ),
    (
        "payment.expired",
        1,
        f'{{"at":"2026-01-12T12:00:00Z",{_LARGE},"deadline":"2026-01-12T12:00:00Z"}}',
        expired(),
    ),
    (
        "payment.cancelled",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_SMALL},"reason":"requested_by_customer"}}',
        cancelled(),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_SMALL},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"requested_by_customer"}',
        refunded(40_00, so_far=60_00),
    ),
    (
        "payment.refunded",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_SMALL},"refund_id":"0192f000-0000-4000-8000-00000000f001"'
        ',"refund":{"minor":4000,"currency":"USD"},"refunded":{"minor":6000,"currency":"USD"}'
        ',"reason":"requested_by_customer","reference":"return-1"}',
        refunded(40_00, so_far=60_00, reference="return-1"),
    ),
    (
        "payment.approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"}',
        approved(),
    ),
    (
        "payment.approved",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7"'
        ',"reason":"verified_with_customer"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        approved(note=NOTE),
    ),
    (
        "payment.rejected",
        1,
        f'{{"at":"2026-01-05T15:00:00Z",{_LARGE},"reviewer":"staff:7","reason":"other"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}}}',
        rejected(note=NOTE, reason=RejectionReason.OTHER),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"risk":{{"score":0,"band":"low","review":false,"fired":[]'
        ',"features":{"paid_by_card_before":true,"position":40,"age_ms":0'
        ',"lists":[{"list":"stolen-cards","version":12}]}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=replace(_FIRST_LOW, features=_LISTED)),
    ),
    (
        "payment.processed",
        1,
        f'{{"at":"2026-01-05T12:00:00Z",{_SMALL},"risk":{{"score":0,"band":"low","review":false,"fired":[]'
        ',"features":{"paid_by_card_before":true,"position":40,"age_ms":0,"lists":[]}'
        f',"policy_id":"{_POLICY}"}}}}',
        processed(risk=replace(_FIRST_LOW, features=replace(_LISTED, lists=()))),
    ),
    (
        "payment.disputed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},{_STATED},"opened_at":"2026-02-04T15:00:00Z"}}',
        disputed(),
    ),
    (
        "payment.disputed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},"kind":"inquiry","reason":"general"'
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
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},{_STATED},"updated_at":"2026-02-05T15:00:00Z"}}',
        dispute_updated(),
    ),
    (
        "payment.dispute_responded",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},"by":"staff:9"'
        ',"responded_at":"2026-02-06T15:00:00Z"}',
        dispute_responded(),
    ),
    (
        "payment.dispute_responded",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},"by":"staff:9"'
        ',"responded_at":"2026-02-06T15:00:00Z"'
        f',"note":{{"note_id":"0192f000-0000-4000-8000-00000000e001","digest":"{"5e" * 32}"}}'
        f',"evidence":["{"ab" * 32}","{"cd" * 32}"]}}',
        dispute_responded(note=NOTE, evidence=("ab" * 32, "cd" * 32)),
    ),
    (
        "payment.dispute_closed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},"outcome":"lost"'
        ',"lost":{"minor":10000,"currency":"USD"},"closed_at":"2026-02-08T15:00:00Z"}',
        dispute_closed(),
    ),
    (
        "payment.dispute_closed",
        1,
        f'{{"at":"2026-02-09T15:00:00Z",{_SMALL},{_DISPUTE},"outcome":"lost"'
        ',"lost":{"minor":10000,"currency":"USD"},"closed_at":"2026-02-08T15:00:00Z"'
        ',"before":{"opened_at":"2026-02-04T15:00:00Z","disputed":{"minor":10000,"currency":"USD"}'
        ',"lost":null},"after":{"opened_at":"2026-02-04T15:00:00Z"'
        ',"disputed":{"minor":10000,"currency":"USD"},"lost":{"minor":10000,"currency":"USD"}}}',
        dispute_closed(
            before=DisputeFigures(OPENED, SMALL), after=DisputeFigures(OPENED, SMALL, SMALL)
        ),
    ),
]


@pytest.mark.parametrize(("event_type", "schema_version", "data", "event"), SAMPLES)
def test_stored_event_is_read(
    event_type: str, schema_version: int, data: str, event: AnyPaymentEvent
) -> None:
    assert PAYMENT_AGGREGATE.decode(event_type, schema_version, data) == event


@pytest.mark.parametrize(
    ("event_type", "schema_version", "data", "event"),
    [sample for sample in SAMPLES if sample[1] == sample[3].schema_version],
)
def test_event_is_stored_as_before(
    event_type: str, schema_version: int, data: str, event: AnyPaymentEvent
) -> None:
    assert event.event_type == event_type
    assert json.loads(encoded(event)) == json.loads(data)


def test_every_event_has_sample_of_every_schema_version() -> None:
    current = {(cls.event_type, cls.schema_version) for cls in EVENT_CLASSES}
    known = {(event_type, version) for event_type, version, _, _ in SAMPLES}
    assert current <= known
    for event_type, latest in current:
        assert {v for t, v in known if t == event_type} == set(range(1, latest + 1))


def test_event_types_are_unique() -> None:
    """Only the type distinguishes stored events."""
    types = [cls.event_type for cls in EVENT_CLASSES]
    assert len(set(types)) == len(types)
    assert all(event_type.startswith("payment.") for event_type in types)


def test_unknown_event_type_is_refused() -> None:
    with pytest.raises(codec.UnknownEventType, match="payment.teleported"):
        PAYMENT_AGGREGATE.decode("payment.teleported", 1, "{}")


def test_unknown_schema_version_is_refused() -> None:
    """The same fields may have another meaning in a newer version."""
    with pytest.raises(codec.UnknownEventType, match="schema version 2"):
        PAYMENT_AGGREGATE.decode("payment.initiated", 2, SAMPLES[0][2])


def _broken(**changes: Any) -> str:
    document = json.loads(SAMPLES[0][2])
    for name, value in changes.items():
        if value is ...:
            del document[name]
        else:
            document[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "null",
        "[]",
        "{}",
        _broken(amount=...),
        _broken(amount={"minor": 1.5, "currency": "USD"}),
        _broken(amount={"minor": "1", "currency": "USD"}),
        _broken(method="cheque"),
        _broken(at="yesterday"),
        _broken(client_id="acme"),
        _broken(initiated_at=None),
    ],
)
def test_invalid_data_is_refused(data: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        PAYMENT_AGGREGATE.decode("payment.initiated", 1, data)


def test_unknown_field_is_ignored() -> None:
    """Old code reads events of new code during a deployment and after a rollback."""
    assert PAYMENT_AGGREGATE.decode("payment.initiated", 1, _broken(added_later=1)) == initiated()


def test_times_keep_microseconds_and_are_read_in_utc() -> None:
    exact = NOON + timedelta(microseconds=1)
    event = initiated(at=exact)
    read = PAYMENT_AGGREGATE.decode(event.event_type, 1, encoded(event))

    assert read.at == exact
    assert read.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("_type", "_version", "_data", "event"), SAMPLES)
def test_events_are_immutable(
    _type: str, _version: int, _data: str, event: AnyPaymentEvent
) -> None:
    with pytest.raises(AttributeError):
        event.at = LATER  # type: ignore[misc]
    assert replace(event, at=LATER) is not event


METADATA_SAMPLES: Final = [
    (
        '{"actor":"staff:7","command":"approve_payment"}',
        Metadata(actor="staff:7", command="approve_payment"),
    ),
    (
        '{"actor":"client:1","command":"process_payment","key":"ab12","key_id":1'
        ',"digests":{"amount":"cd34"},"correlation_id":"r-1","causation_id":"m-1"}',
        Metadata(
            actor="client:1",
            command="process_payment",
            key="ab12",
            key_id=1,
            digests={"amount": "cd34"},
            correlation_id="r-1",
            causation_id="m-1",
        ),
    ),
]


@pytest.mark.parametrize(("stored", "read"), METADATA_SAMPLES)
def test_stored_metadata_is_read_and_written_unchanged(stored: str, read: Metadata) -> None:
    assert metadata.decode(stored) == read
    assert json.loads(codec.encode(read)) == json.loads(stored)
