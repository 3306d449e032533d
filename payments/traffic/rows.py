"""Convert a row of a file to a past payment, or refuse it with a reason."""

from datetime import date, datetime
from typing import Final

from msgspec import Struct

from payments.domain.methods import Method
from payments.domain.money import Money, MoneyError
from payments.traffic import dates, values
from payments.traffic.amounts import Amounts
from payments.traffic.dates import DateError
from payments.traffic.layout import Fields, Layout, LayoutError, RowError
from payments.traffic.lines import Line

FIELDS: Final = Fields(
    required=("client", "customer_id", "amount", "currency", "method", "date"),
    optional=("reference",),
)


class PastPayment(Struct, frozen=True):
    """The validated content of a row."""

    client: str
    customer_reference: str
    amount: Money
    method: Method
    at: datetime
    reference: str | None


class Rows(Struct, frozen=True):
    """A reader for rows with one layout."""

    layout: Layout
    amounts: Amounts

    def read(self, line: Line, *, now: datetime) -> PastPayment:
        """Return the payment of a line. Raises RowError."""
        row = self.layout.values(line)
        try:
            reference = row.get("reference", "").strip()
            at = dates.parse(row["date"].strip(), now=now)
            return PastPayment(
                client=values.name("client", row["client"]),
                customer_reference=values.identifier("customer_id", row["customer_id"]),
                amount=self.amounts.parse(
                    row["amount"].strip(), row["currency"].strip(), on=at.date()
                ),
                method=_method(row["method"].strip()),
                at=at,
                reference=values.identifier("reference", reference) if reference else None,
            )
        except (MoneyError, DateError) as error:
            raise RowError(error.code, str(error)) from error


def check_constants(layout: Layout, amounts: Amounts, *, now: datetime) -> None:
    """Check the constants of --set. Raises LayoutError, which names the field."""
    on = date.min
    # The date comes first, because it decides which currencies were in use.
    for field, value in sorted(layout.constants.items(), key=lambda each: each[0] != "date"):
        try:
            match field:
                case "amount":
                    if "currency" in layout.constants:
                        amounts.parse(value, layout.constants["currency"], on=on)
                case "currency":
                    Money.checked(1, value, on=on)
                case "method":
                    _method(value)
                case "date":
                    on = dates.parse(value, now=now).date()
                case "client":
                    values.name(field, value)
                case _:
                    values.identifier(field, value)
        except (MoneyError, DateError, RowError) as error:
            raise LayoutError(f"--set {field}: {error}") from error


def _method(value: str) -> Method:
    return values.choice(Method, value, code="unknown_method", what="a payment method")
