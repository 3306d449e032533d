"""Request bodies of the commands on disputes."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta

from payments.api.bodies import CURRENCY, IDENTIFIER, MINOR, NOTE, NOTE_LENGTH, Body, wrong_money
from payments.api.problems.problem import FieldError, Problem
from payments.domain.money import MAX_MINOR, Money, MoneyError
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.disputing import LONGEST_TEXT, MOST_EVIDENCE
from payments.domain.text import checked_identifier, checked_text

# The tolerance for senders' clocks, and the longest plausible time to respond.
_SKEW: Final = timedelta(minutes=5)
_LATEST_DUE: Final = timedelta(days=3 * 366)
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)

_Zoned = Annotated[datetime, Meta(tz=True)]
_TIME: Final = " An RFC 3339 time with a zone, not in the future."
_ID: Final = Meta(
    description="The provider's id of the dispute, or yours. All its notices have the same."
    + IDENTIFIER,
    examples=["dp_1042"],
    extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT},
)
_KIND: Final = Meta(description="The stage of the dispute.")
_REASON: Final = Meta(description="Why the customer disputes the payment.")
_NETWORK: Final = Meta(
    description="The card network.",
    examples=["visa"],
    extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT},
)
_NETWORK_CODE: Final = Meta(
    description="The network's own reason code.",
    examples=["10.4"],
    extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT},
)
_RESPOND_BY: Final = Meta(
    description="Until when a response is possible: an RFC 3339 time with a zone.",
    examples=["2026-12-08T23:59:59Z"],
)
_OPENED_AT: Final = Meta(
    description="When the dispute was opened." + _TIME,
    examples=["2026-11-24T09:00:00Z"],
)
_UPDATED_AT: Final = Meta(
    description="When the dispute changed. An older update than the latest one changes nothing."
    + _TIME,
    examples=["2026-11-25T09:00:00Z"],
)
_RESPONDED_AT: Final = Meta(
    description="When the response was sent; without it, now." + _TIME,
    examples=["2026-11-26T09:00:00Z"],
)
_CLOSED_AT: Final = Meta(
    description="When the dispute ended." + _TIME,
    examples=["2026-11-28T09:00:00Z"],
)
_EVIDENCE: Final = Meta(
    max_length=MOST_EVIDENCE,
    description="The SHA-256 digests of the documents that were sent, in lowercase hexadecimal digits.",
)
_DIGEST: Final = Meta(pattern="^[0-9a-f]{64}$", max_length=64)
_LOST: Final = Meta(
    description=f"What the dispute took, in minor units, 0 to {MAX_MINOR}. It is 0 if the dispute was won or"
    " withdrawn, or if the provider bears the loss.",
    examples=[500_000],
    extra_json_schema={"minimum": 0, "maximum": MAX_MINOR},
)
_UNKNOWN_AMOUNT: Final = Meta(
    description=f"What was disputed, in minor units, 1 to {MAX_MINOR}. Without it: the lost amount, or the"
    " whole payment if nothing was lost. It counts only if no other notice has arrived.",
    examples=[500_000],
    extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
)


class DisputeBody(Body, frozen=True, forbid_unknown_fields=True):
    """The fields of a command on a dispute."""

    @classmethod
    def stored_text(cls, field: str, value: str) -> str:
        if field == "note":
            return checked_text(value, max_length=NOTE_LENGTH, multiline=True)
        return checked_identifier(value, max_length=LONGEST_TEXT)

    def require_times(self, at: datetime) -> None:
        """Raise Problem if a time in the body is not plausible at the current time `at`."""
        wrong = []
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, datetime):
                latest = at + (_LATEST_DUE if name == "respond_by" else _SKEW)
                if not _EARLIEST <= value <= latest:
                    accepted = (
                        f"Give a time from {_EARLIEST:%Y-%m-%d} to {latest:%Y-%m-%d %H:%M} UTC."
                    )
                    wrong.append(FieldError(name, "out_of_range", accepted))
        if wrong:
            raise Problem.of_fields(wrong)

    def money(self, amount: int, currency: str) -> Money:
        """Return the amount. Raises Problem."""
        try:
            return Money.checked(amount, currency, refund=True)
        except MoneyError as error:
            raise self.refused() from error


class StatedBody(DisputeBody, frozen=True, forbid_unknown_fields=True):
    """What is disputed."""

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from wrong_money(values, refund=True)


class OpenDisputeBody(StatedBody, frozen=True, forbid_unknown_fields=True):
    """The notice that a dispute was opened."""

    dispute_id: Annotated[str, _ID]
    kind: Annotated[DisputeKind, _KIND]
    reason: Annotated[DisputeReason, _REASON]
    amount: Annotated[int, MINOR]
    currency: Annotated[str, CURRENCY]
    opened_at: Annotated[_Zoned, _OPENED_AT]
    network: Annotated[str | None, _NETWORK] = None
    network_reason_code: Annotated[str | None, _NETWORK_CODE] = None
    respond_by: Annotated[_Zoned | None, _RESPOND_BY] = None


class UpdateDisputeBody(StatedBody, frozen=True, forbid_unknown_fields=True):
    """The whole dispute after a change. Fields that are left out are unknown from then on."""

    kind: Annotated[DisputeKind, _KIND]
    reason: Annotated[DisputeReason, _REASON]
    amount: Annotated[int, MINOR]
    currency: Annotated[str, CURRENCY]
    updated_at: Annotated[_Zoned, _UPDATED_AT]
    network: Annotated[str | None, _NETWORK] = None
    network_reason_code: Annotated[str | None, _NETWORK_CODE] = None
    respond_by: Annotated[_Zoned | None, _RESPOND_BY] = None


class RespondToDisputeBody(DisputeBody, frozen=True, forbid_unknown_fields=True):
    """The response to a dispute: digests of the evidence, and a note for staff."""

    evidence: Annotated[list[Annotated[str, _DIGEST]], _EVIDENCE] = []
    note: Annotated[str | None, NOTE] = None
    responded_at: Annotated[_Zoned | None, _RESPONDED_AT] = None


class CloseDisputeBody(DisputeBody, frozen=True, forbid_unknown_fields=True):
    """The end of a dispute. `kind` and the fields after it count only if no other notice has arrived."""

    outcome: Annotated[DisputeOutcome, Meta(description="How the dispute ended.")]
    lost_amount: Annotated[int, _LOST]
    currency: Annotated[str, CURRENCY]
    closed_at: Annotated[_Zoned, _CLOSED_AT]
    kind: Annotated[DisputeKind, Meta(description="The default is `chargeback`.")] = (
        DisputeKind.CHARGEBACK
    )
    reason: Annotated[DisputeReason, Meta(description="The default is `general`.")] = (
        DisputeReason.GENERAL
    )
    amount: Annotated[int | None, _UNKNOWN_AMOUNT] = None
    network: Annotated[str | None, _NETWORK] = None
    network_reason_code: Annotated[str | None, _NETWORK_CODE] = None

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from wrong_money(values, refund=True)
        lost = values.get("lost_amount")
        if lost is not None and not 0 <= lost <= MAX_MINOR:
            yield FieldError("lost_amount", "out_of_range", f"Give 0 to {MAX_MINOR} minor units.")

    def lost(self) -> Money:
        """Return the amount that the dispute took. Raises Problem."""
        if not 0 <= self.lost_amount <= MAX_MINOR:
            raise self.refused()
        self.money(self.lost_amount or 1, self.currency)
        return Money(self.lost_amount, self.currency)
