"""Convert a row of a file to a dispute notice, or refuse the row with a reason."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

from msgspec import Struct

from payments.domain.money import Money, MoneyError, exponent
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.commands import AnyNotice, CloseDispute, OpenDispute, UpdateDispute
from payments.domain.payment.disputing import LONGEST_TEXT, TAKES_NOTHING
from payments.traffic import dates, values
from payments.traffic.amounts import Amounts
from payments.traffic.dates import DateError
from payments.traffic.layout import Fields, Layout, LayoutError, RowError
from payments.traffic.lines import Line

FIELDS: Final = Fields(
    required=("dispute_id", "notice", "date"),
    optional=(
        "payment_id",
        "client",
        "reference",
        "amount",
        "currency",
        "kind",
        "reason",
        "network",
        "network_reason_code",
        "respond_by",
        "outcome",
        "lost_amount",
    ),
)
AMOUNTS: Final = ("amount", "lost_amount")

_NOTHING: Final = re.compile(r"0+(?:[.,]0+)?")


class NoticeType(StrEnum):
    OPEN = "open"
    UPDATE = "update"
    CLOSE = "close"


class Notice(Struct, frozen=True):
    """The validated content of a row. It names its payment by id, or by client and reference."""

    type: NoticeType
    facts: Mapping[str, Any]
    payment_id: UUID | None
    client: str | None
    reference: str | None

    def command(self, payment_id: UUID, client_id: UUID | None, *, at: datetime) -> AnyNotice:
        terms: dict[str, Any] = {"payment_id": payment_id, "client_id": client_id, "at": at}
        match self.type:
            case NoticeType.OPEN:
                return OpenDispute(**terms, **self.facts)
            case NoticeType.UPDATE:
                return UpdateDispute(**terms, **self.facts)
            case NoticeType.CLOSE:
                return CloseDispute(**terms, **self.facts)
            case _:
                assert_never(self.type)


class NoticeRows(Struct, frozen=True):
    """A reader for rows with one layout."""

    layout: Layout
    amounts: Amounts

    def read(self, line: Line, *, now: datetime) -> Notice:
        """Return the notice of a line. Raises RowError."""
        row = {name: value.strip() for name, value in self.layout.values(line).items()}
        try:
            return self._notice(row, now)
        except (MoneyError, DateError) as error:
            raise RowError(error.code, str(error)) from error

    def _notice(self, row: Mapping[str, str], now: datetime) -> Notice:
        type_ = _type(row["notice"])
        payment_id, client, reference = _payment(row)
        at = dates.parse(row["date"], now=now)
        facts: dict[str, Any] = {
            "dispute_id": values.identifier(
                "dispute_id", row["dispute_id"], max_length=LONGEST_TEXT
            ),
        }
        for field in ("network", "network_reason_code"):
            if row.get(field):
                facts[field] = values.identifier(field, row[field], max_length=LONGEST_TEXT)
        if type_ is NoticeType.CLOSE:
            facts |= {"closed_at": at, **self._end(row)}
        else:
            facts["opened_at" if type_ is NoticeType.OPEN else "updated_at"] = at
            facts |= {
                "kind": _kind(_needed("kind", row)),
                "reason": _reason(_needed("reason", row)),
                "amount": self._amount("amount", _needed("amount", row), row),
            }
            if row.get("respond_by"):
                facts["respond_by"] = dates.moment(row["respond_by"])
        return Notice(type_, facts, payment_id, client, reference)

    def _end(self, row: Mapping[str, str]) -> dict[str, Any]:
        outcome = _outcome(_needed("outcome", row))
        lost = row.get("lost_amount", "")
        if not lost and outcome in TAKES_NOTHING:
            lost = "0"
        facts: dict[str, Any] = {
            "outcome": outcome,
            "lost_amount": self._amount("lost_amount", lost or _needed("lost_amount", row), row),
        }
        if row.get("kind"):
            facts["kind"] = _kind(row["kind"])
        if row.get("reason"):
            facts["reason"] = _reason(row["reason"])
        if row.get("amount"):
            facts["amount"] = self._amount("amount", row["amount"], row)
        return facts

    def _amount(self, field: str, text: str, row: Mapping[str, str]) -> Money:
        currency = _needed("currency", row)
        if field == "lost_amount" and _NOTHING.fullmatch(text):
            exponent(currency)  # raises MoneyError for an unknown currency
            return Money(0, currency)
        # Accept retired currencies, because a payment may be disputed after its currency was
        # retired.
        return self.amounts.parse(text, currency, on=date.min)


def check_layout(layout: Layout, amounts: Amounts, *, now: datetime) -> None:
    """Check that rows name their payment, and that the constants of --set are valid.

    Raises LayoutError.
    """
    known = layout.columns.keys() | layout.constants.keys()
    if "payment_id" not in known and not {"client", "reference"} <= known:
        raise LayoutError(
            "No column for payment_id, nor for client and reference. Add --map FIELD=COLUMN or"
            f" --set FIELD=VALUE. The columns are {', '.join(layout.names)}."
        )
    for field, value in layout.constants.items():
        try:
            _check_constant(field, value, layout, amounts, now)
        except (MoneyError, DateError, RowError) as error:
            raise LayoutError(f"--set {field}: {error}") from error


def _check_constant(
    field: str, value: str, layout: Layout, amounts: Amounts, now: datetime
) -> None:
    match field:
        case "notice":
            _type(value)
        case "kind":
            _kind(value)
        case "reason":
            _reason(value)
        case "outcome":
            _outcome(value)
        case "date":
            dates.parse(value, now=now)
        case "respond_by":
            dates.moment(value)
        case "payment_id":
            _uuid(value)
        case "client":
            values.name(field, value)
        case "currency":
            exponent(value)
        case "amount" | "lost_amount":
            if "currency" in layout.constants and not _NOTHING.fullmatch(value):
                amounts.parse(value, layout.constants["currency"], on=date.min)
        case "reference":
            values.identifier(field, value)
        case _:
            values.identifier(field, value, max_length=LONGEST_TEXT)


def _payment(row: Mapping[str, str]) -> tuple[UUID | None, str | None, str | None]:
    """Return how a row names its payment: the payment's id, the client's name and the reference.

    Either the id or the reference is None. With an id, the client's name is optional.
    """
    client = values.name("client", row["client"]) if row.get("client") else None
    if row.get("payment_id"):
        return _uuid(row["payment_id"]), client, None
    if not row.get("reference"):
        raise RowError("payment_missing", "The row has neither a payment_id nor a reference.")
    if client is None:
        raise RowError("client_missing", "A reference needs the name of the client.")
    return None, client, values.identifier("reference", row["reference"])


def _needed(field: str, row: Mapping[str, str]) -> str:
    value = row.get(field)
    if not value:
        raise RowError(f"{field}_missing", f"This type of notice needs {field}.")
    return value


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise RowError(
            "unknown_payment_id",
            f"{value[:40]!r} is not a payment id such as 0192f000-0000-5000-8000-00000000a001.",
        ) from None


def _type(value: str) -> NoticeType:
    return values.choice(NoticeType, value, code="unknown_notice", what="a type of notice")


def _kind(value: str) -> DisputeKind:
    return values.choice(DisputeKind, value, code="unknown_kind", what="a kind of dispute")


def _reason(value: str) -> DisputeReason:
    return values.choice(DisputeReason, value, code="unknown_reason", what="a reason of a dispute")


def _outcome(value: str) -> DisputeOutcome:
    return values.choice(
        DisputeOutcome, value, code="unknown_outcome", what="an outcome of a dispute"
    )
