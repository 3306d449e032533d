"""Show a pack to people on one printable page, without scripts or other files."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.template.loader import render_to_string
from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.domain.payment.state import Payment
from payments.events import replay
from payments.events.seals import verify_pack
from readmodels import labels

_EVENT_TYPE: Final = 3
_LEFT_OUT: Final = "The text of this note is not in the pack."


class Line(Struct, frozen=True, kw_only=True):
    """An event in the history. `seal` is the number of its seal, None if it is not sealed yet."""

    position: int
    version: int
    title: str
    details: tuple[str, ...]
    note: str
    by: str
    occurred: str
    recorded: str
    seal: int | None


class SealLine(Struct, frozen=True, kw_only=True):
    number: int
    first: int
    last: int
    sealed_at: str
    key: str


def render(
    pack: Mapping[str, Any], *, history: Sequence[HistoricPaymentEvent], name: str, digest: str
) -> bytes:
    """Return the page for a pack. `history` has its decoded payment events."""
    about, people = pack["about"], pack["people"]
    payment = replay.fold(
        PAYMENT_AGGREGATE, UUID(about["stream"]), (record.event for record in history)
    )
    assert payment is not None, "a pack has events of its payment"  # noqa: S101
    seals = [_seal(each) for each in pack["seals"]]
    texts = {each["position"]: each["text"] for each in pack["documents"] if _is_note(each)}
    context = {
        "name": name,
        "digest": digest,
        "about": about,
        "made_at": _time(datetime.fromisoformat(about["made_at"])),
        "made_by": people.get(about["made_by"], about["made_by"]),
        "facts": _facts(payment, people),
        "lines": [_line(record, seals, texts, people) for record in history],
        "decisions": [_decision(each, people) for each in pack["decisions"]],
        "policy": next((_pretty(e) for e in pack["documents"] if not _is_note(e)), ""),
        "policy_id": payment.risk.policy_id if payment.risk else "",
        "policy_lines": _policy_lines(pack, seals, people),
        "seals": seals,
        "events": pack["events"],
        "keys": sorted({each.key for each in seals}),
    }
    return render_to_string("backoffice/evidence/pack.html", context).encode()


def _line(
    record: HistoricPaymentEvent,
    seals: Sequence[SealLine],
    texts: Mapping[int, str],
    people: Mapping[str, str],
) -> Line:
    title, details = labels.describe(record.event, revealed=True)
    has_note = getattr(record.event, "note", None) is not None
    return Line(
        position=record.position,
        version=record.version,
        title=title,
        details=details,
        note=texts.get(record.position, _LEFT_OUT) if has_note else "",
        by=people.get(record.metadata.actor, record.metadata.actor),
        occurred=_time(record.event.at),
        recorded=_time(record.recorded_at),
        seal=_covering(seals, record.position),
    )


def _policy_lines(
    pack: Mapping[str, Any], seals: Sequence[SealLine], people: Mapping[str, str]
) -> list[Line]:
    """Return the events of the policy."""
    found = []
    for event in pack["events"]:
        columns = json.loads(event["stored"])
        if columns[verify_pack.AGGREGATE_ID] == pack["about"]["stream"]:
            continue
        data, metadata, occurred, recorded = columns[verify_pack.DATA :]
        title = labels.label(columns[_EVENT_TYPE].removeprefix("policy."))
        found.append(
            Line(
                position=event["position"],
                version=columns[verify_pack.VERSION],
                title=title,
                details=tuple(filter(None, (data.get("name"), data.get("comment")))),
                note="",
                by=people.get(metadata["actor"], metadata["actor"]),
                occurred=_micros(occurred),
                recorded=_micros(recorded),
                seal=_covering(seals, event["position"]),
            )
        )
    return found


def _facts(payment: Payment, people: Mapping[str, str]) -> list[tuple[str, str]]:
    client = f"client:{payment.client_id}"
    facts = (
        ("Payment", str(payment.payment_id)),
        ("Amount", payment.amount.formatted()),
        ("Status", labels.label(payment.status)),
        ("Method", labels.paid_with(payment.method, payment.card)),
        ("Client", people.get(client, client)),
        ("Customer id", str(payment.customer_id)),
        ("Reference", payment.reference),
        ("Risk", payment.risk and f"{payment.risk.score}, {payment.risk.band}"),
        (
            "Rules that fired",
            payment.risk and "; ".join(labels.label(rule.reason) for rule in payment.risk.fired),
        ),
    )
    return [(name, value) for name, value in facts if value]


def _decision(decision: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    others = [
        {
            **each,
            "amount": labels.amount(each["amount"], each["currency"]),
            "status": labels.label(each["status"]),
            "initiated_at": _time(datetime.fromisoformat(each["initiated_at"])),
        }
        for each in decision["other_payments"]
    ]
    by = people.get(decision["by"], decision["by"])
    status = labels.label(decision["status"]) if decision["status"] else ""
    return {**decision, "by": by, "status": status, "other_payments": others}


def _is_note(document: Mapping[str, Any]) -> bool:
    return bool(document["path"][0] == "note")


def _pretty(document: Mapping[str, Any]) -> str:
    return str(msgspec.json.format(document["text"], indent=2))


def _seal(packed: Mapping[str, str]) -> SealLine:
    statement = msgspec.json.decode(packed["statement"])
    return SealLine(
        number=statement["number"],
        first=statement["first"],
        last=statement["last"],
        sealed_at=_time(datetime.fromisoformat(statement["sealed_at"])),
        key=statement["key"],
    )


def _covering(seals: Sequence[SealLine], position: int) -> int | None:
    return next((each.number for each in seals if each.first <= position <= each.last), None)


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _micros(microseconds: int) -> str:
    return _time(datetime.fromtimestamp(microseconds / 1_000_000, UTC))
