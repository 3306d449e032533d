"""Convert a row of a file to a past payment, or refuse it with a reason."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money, MoneyError
from payments.domain.text import TextError, checked_identifier, checked_text
from payments.traffic import amounts, dates
from payments.traffic.amounts import Decimals
from payments.traffic.dates import DateError
from payments.traffic.layout import Layout, LayoutError, RowError
from payments.traffic.lines import Line

_LENGTHS: Final = {"client": 200, "customer_id": 255, "reference": 255}


class PastPayment(Struct, frozen=True):
    """The validated content of a row."""

    client: str
    customer_reference: str
    amount: Money
    method: Method
    at: datetime
    reference: str | None


class Rows(Struct, frozen=True):
    """A reader of rows with one layout.

    `decimal_commas` returns whether other amounts of the file have a decimal comma. Without `decimals`, it
    is called for an amount such as 1.234 in a currency with three decimals.
    """

    layout: Layout
    decimals: Decimals | None = None
    decimal_commas: Callable[[], bool] = lambda: False

    def read(self, line: Line, *, now: datetime) -> PastPayment:
        """Return the payment of a line. Raises RowError."""
        values = self.layout.values(line)
        try:
            reference = values.get("reference", "").strip()
            at = dates.parse(values["date"].strip(), now=now)
            return PastPayment(
                client=_text("client", values["client"]),
                customer_reference=_text("customer_id", values["customer_id"]),
                amount=self._amount(
                    values["amount"].strip(), values["currency"].strip(), on=at.date()
                ),
                method=_method(values["method"].strip()),
                at=at,
                reference=_text("reference", reference) if reference else None,
            )
        except (MoneyError, DateError) as error:
            raise RowError(error.code, str(error)) from error

    def _amount(self, text: str, currency: str, *, on: date) -> Money:
        amount = amounts.parse(text, currency, self.decimals, on=on)
        if (
            self.decimals is None
            and amounts.may_be_thousands(text, currency)
            and self.decimal_commas()
        ):
            raise RowError(
                "amount_ambiguous",
                f"{text} {currency} may be in thousands, as the file has decimal commas."
                " Add --decimal comma or --decimal point.",
            )
        return amount


def check_constants(layout: Layout, decimals: Decimals | None, *, now: datetime) -> None:
    """Check the constants of --set. Raises LayoutError, which names the field."""
    on = date.min
    # The date comes first, because it decides which currencies were in use.
    for field, value in sorted(layout.constants.items(), key=lambda each: each[0] != "date"):
        try:
            match field:
                case "amount":
                    if "currency" in layout.constants:
                        amounts.parse(value, layout.constants["currency"], decimals, on=on)
                case "currency":
                    Money.checked(1, value, on=on)
                case "method":
                    _method(value)
                case "date":
                    on = dates.parse(value, now=now).date()
                case _:
                    _text(field, value)
        except (MoneyError, DateError, RowError) as error:
            raise LayoutError(f"--set {field}: {error}") from error


def _text(field: str, value: str) -> str:
    try:
        if field == "client":
            return checked_text(value, max_length=_LENGTHS[field])
        return checked_identifier(value, max_length=_LENGTHS[field], pasted=True)
    except TextError as error:
        raise RowError(error.code, f"{field}: {error}") from error


def _method(value: str) -> Method:
    try:
        return Method(value)
    except ValueError:
        known = ", ".join(Method)
        raise RowError(
            "unknown_method", f"{value[:40]!r} is not a payment method. Valid: {known}."
        ) from None
