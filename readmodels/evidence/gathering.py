"""Gather the evidence about a payment in one JSON document.

payments/events/seals/verify_pack.py describes the format. The pack has no personal data of the
customer, because events carry ids only. The texts of notes may name people. The pack has a text
only if it was not erased and the person who asks may see notes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from payments import actors, permissions
from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.application import policies
from payments.customers.models import Note
from payments.customers.staff_mentions import SEE_NOTES
from payments.domain.payment.events import AnyPaymentEvent, NoteRef, ReviewDecision
from payments.domain.payment.state import Payment
from payments.domain.risk.register import REGISTER
from payments.domain.text import checked_text
from payments.events import metadata, replay
from payments.events.reading import streams
from payments.events.reading.records import HistoricEvent
from payments.events.seals import packing, table, verify_pack
from payments.events.seals.packing import StoredEvent
from readmodels import labels
from readmodels.evidence import page
from readmodels.exports import recording
from readmodels.exports.models import LONGEST_REASON, Export
from readmodels.models import PaymentSummary

_MOST_OTHERS: Final = 5  # as many as the page of a payment shows
_ACTOR: Final = re.compile(r'"((?:staff:\d+|client:[0-9a-f-]{36}))"')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The stored columns: see payments.events.seals.seal.COLUMNS.
_decoder: Final = msgspec.json.Decoder(tuple[str, UUID, int, str, int, Raw, Raw, int, int])


class NoSuchPayment(Exception):
    """The log has no payment with this id."""

    def __init__(self, payment_id: UUID) -> None:
        super().__init__(f"There is no payment {payment_id}.")


class NotADecision(Exception):
    """The event is not a decision of a reviewer."""

    def __init__(self, version: int, decisions: Sequence[int]) -> None:
        known = ", ".join(map(str, decisions))
        super().__init__(
            f"Version {version} of this payment is not a decision."
            f" {f'Its decisions are the versions {known}.' if known else 'It has no decision.'}"
        )


class Evidence(Struct, frozen=True, kw_only=True):
    """The files of a pack, and its record. `unsealed` are positions of events that no seal covers yet."""

    name: str
    pack: bytes
    page: bytes
    unsealed: tuple[int, ...]
    export: Export


def make(payment_id: UUID, *, decision: int | None, reason: str, by: str, at: datetime) -> Evidence:
    """Return the pack of the whole payment, or up to a decision, and record it.

    `decision` is the version of the decision's event.
    Raises NotPermitted, TextError, NoSuchPayment, NotADecision, DamagedSeal.
    """
    permissions.require(by, recording.EVIDENCE, operators=True)
    reason = checked_text(reason, max_length=LONGEST_REASON)
    document = _document(payment_id, decision=decision, reason=reason, by=by, at=at)
    raw = verify_pack.render(document)
    positions = [event["position"] for event in document["events"]]
    digest = sha256(raw).hexdigest()
    export = recording.evidence(
        payment_id,
        decision=decision,
        reason=reason,
        by=by,
        at=at,
        events=len(positions),
        position=positions[-1],
        digest=digest,
    )
    name = f"evidence-{payment_id}" + (f"-decision-{decision}" if decision else "")
    sealed = max((_last(seal["statement"]) for seal in document["seals"]), default=0)
    return Evidence(
        name=name,
        pack=raw,
        page=page.render(document, history=_history(document), name=name, digest=digest),
        unsealed=tuple(position for position in positions if position > sealed),
        export=export,
    )


def decisions(history: Iterable[HistoricPaymentEvent]) -> list[HistoricPaymentEvent]:
    """Return the decisions of reviewers in a history."""
    return [record for record in history if isinstance(record.event, ReviewDecision)]


def _document(
    payment_id: UUID, *, decision: int | None, reason: str, by: str, at: datetime
) -> dict[str, Any]:
    stored = packing.stream(payment_id)
    history = [_historic(each) for each in stored if _is_payment(each)]
    if not history:
        raise NoSuchPayment(payment_id)
    decided = decisions(history)
    if decision is not None:
        if decision not in {record.version for record in decided}:
            raise NotADecision(decision, [record.version for record in decided])
        decided = [record for record in decided if record.version == decision]
        stored, history = stored[:decision], history[:decision]
    policy_id, position = _policy(history)
    upto = stored[-1].position
    events = sorted([*stored, *_events_of_policy(policy_id, upto)], key=lambda each: each.position)
    has_notes = _may_see_notes(by)
    pack: dict[str, Any] = {
        "format": verify_pack.FORMAT,
        "about": {
            "stream": str(payment_id),
            "version": len(stored),
            "decision": decision,
            "made_at": at.astimezone(UTC).isoformat(),
            "made_by": by,
            "reason": reason,
            "notes": has_notes,
            "log": str(table.known_identity() or ""),
        },
        "events": [{"position": each.position, "stored": each.stored} for each in events],
        "seals": [
            msgspec.to_builtins(each) for each in packing.seals(each.position for each in events)
        ],
        "documents": [
            *_policy_text(policy_id, position),
            *(_notes(payment_id, history) if has_notes else ()),
        ],
        "people": _people(by, events),
        "decisions": [_seen(record, history) for record in decided],
    }
    pack["digests"] = {name: verify_pack.digest(value) for name, value in pack.items()}
    return pack


def _is_payment(stored: StoredEvent) -> bool:
    return stored.stored.startswith(f'["{PAYMENT_AGGREGATE.name}"')


def _historic(stored: StoredEvent) -> HistoricPaymentEvent:
    _, stream, version, event_type, schema, data, about, _, recorded = _decoder.decode(
        stored.stored
    )
    return HistoricEvent(
        stored.position,
        stream,
        version,
        PAYMENT_AGGREGATE.decode(event_type, schema, bytes(data)),
        metadata.decode(bytes(about)),
        _EPOCH + timedelta(microseconds=recorded),
    )


def _history(pack: dict[str, Any]) -> list[HistoricPaymentEvent]:
    stored = (StoredEvent(each["position"], 0, each["stored"]) for each in pack["events"])
    return [_historic(each) for each in stored if _is_payment(each)]


def _policy(history: Iterable[HistoricPaymentEvent]) -> tuple[str | None, int]:
    """Return the id of the policy that scored the payment, and the position of the event that names it."""
    for record in history:
        if (risk := getattr(record.event, "risk", None)) is not None:
            return risk.policy_id, record.position
    return None, 0


def _events_of_policy(policy_id: str | None, upto: int) -> Iterator[StoredEvent]:
    """Yield the events of the policy, such as its proposal and approval, up to a log position."""
    if policy_id is None:
        return
    for stored in packing.stream(REGISTER, upto=upto):
        if msgspec.json.decode(_decoder.decode(stored.stored)[5])["policy_id"] == policy_id:
            yield stored


def _policy_text(policy_id: str | None, position: int) -> Iterator[dict[str, Any]]:
    if policy_id is None:
        return
    try:
        document = policies.by_id(policy_id).document
    except policies.UnknownPolicy:  # a built-in one of an older release
        return
    text = msgspec.json.encode(document, order="deterministic").decode()
    yield _text(position, ("risk", "policy_id"), text)


def _notes(payment_id: UUID, history: Iterable[HistoricPaymentEvent]) -> Iterator[dict[str, Any]]:
    texts = {note.pk: note for note in Note.objects.filter(payment_id=payment_id)}
    for record in history:
        reference: NoteRef | None = getattr(record.event, "note", None)
        note = texts.get(reference.note_id) if reference else None
        if note is not None:
            yield _text(record.position, ("note", "digest"), note.text, bytes(note.salt))


def _text(position: int, path: Sequence[str], text: str, salt: bytes = b"") -> dict[str, Any]:
    return {"position": position, "path": list(path), "salt": salt.hex(), "text": text}


def _may_see_notes(by: str) -> bool:
    user = permissions.staff(by)
    return actors.is_operator(by) or (user is not None and permissions.holds(user, SEE_NOTES))


def _people(by: str, events: Iterable[StoredEvent]) -> dict[str, str]:
    found = {actor for each in events for actor in _ACTOR.findall(each.stored)}
    return dict(sorted(labels.people([by, *found]).items()))


def _seen(
    decision: HistoricPaymentEvent, history: Sequence[HistoricPaymentEvent]
) -> dict[str, Any]:
    """Return what the page showed to the reviewer before the decision.

    The metadata of the decision holds the log position of the lists on the page. Decisions through
    the API or by older releases have no such position.
    """
    before = replay.fold(
        PAYMENT_AGGREGATE,
        decision.aggregate_id,
        (record.event for record in history if record.version < decision.version),
    )
    position = decision.metadata.seen_position
    return {
        "version": decision.version,
        "position": decision.position,
        "by": decision.metadata.actor,
        "seen_version": decision.version - 1,
        "seen_position": position,
        "status": before.status.value if before else None,
        "other_payments": list(_others(before, position)) if before and position else [],
    }


def _others(payment: Payment, position: int) -> Iterator[dict[str, Any]]:
    """Yield the customer's latest other payments as they were at the position."""
    rows = PaymentSummary.objects.filter(
        customer_id=payment.customer_id, first_position__lte=position
    ).exclude(pk=payment.payment_id)
    for row in rows.order_by("-initiated_at", "-payment_id")[:_MOST_OTHERS]:
        then = _at(row.pk, position)
        if then is not None:
            yield {
                "payment_id": str(row.pk),
                "initiated_at": row.initiated_at.astimezone(UTC).isoformat(),
                "amount": then.amount.minor,
                "currency": then.amount.currency,
                "status": then.status.value,
            }


def _at(payment_id: UUID, position: int) -> Payment | None:
    events: Iterator[AnyPaymentEvent] = (
        record.event
        for record in streams.history(PAYMENT_AGGREGATE, payment_id)
        if record.position <= position
    )
    return replay.fold(PAYMENT_AGGREGATE, payment_id, events)


def _last(statement: str) -> int:
    return int(msgspec.json.decode(statement)["last"])
