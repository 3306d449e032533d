"""The body of the command that asks for a backtest."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from payments.api.bodies import Body
from payments.api.openapi.schemas import INT32_MAX
from payments.api.problems.problem import FieldError
from payments.domain.backtest.labels import MATURE
from payments.domain.backtest.question import Mode
from payments.domain.backtest.sampling import WHOLE
from readmodels.queries import times

ID_PATTERN: Final = "^[0-9a-f]{64}$"
_MOST_DAYS: Final = 3_650
_RANGES: Final = {
    "sample_ppm": (1, WHOLE),
    "seed": (0, INT32_MAX),
    "mature_days": (0, _MOST_DAYS),
}
_ID: Final = {"pattern": ID_PATTERN}
_TIME: Final = {"format": "date-time"}


def is_id(text: str) -> bool:
    """Return whether the text has the form of a policy's id."""
    return re.fullmatch(ID_PATTERN, text) is not None


def _number(name: str, description: str) -> Any:
    least, most = _RANGES[name]
    limits = {"minimum": least, "maximum": most}
    return Meta(description=f"{description} {least} to {most}.", extra_json_schema=limits)


class BacktestBody(Body, frozen=True, forbid_unknown_fields=True):
    """A question about a risk policy."""

    policy_id: Annotated[
        str, Meta(description="The `id` of the policy to test.", extra_json_schema=_ID)
    ]
    baseline_policy_id: Annotated[
        str | None,
        Meta(
            description="The `id` of the policy to compare with; null, the default: what the history"
            " records.",
            extra_json_schema=_ID,
        ),
    ] = None
    since: Annotated[
        str | UnsetType,
        Meta(
            description="Payments recorded at or after this time or date (UTC). The default is the beginning"
            " of the log.",
            extra_json_schema=_TIME,
        ),
    ] = UNSET
    until: Annotated[
        str | UnsetType,
        Meta(
            description="Nothing recorded at or after this time or date (UTC) is known, labels included. The"
            " default is now.",
            extra_json_schema=_TIME,
        ),
    ] = UNSET
    mode: Annotated[
        Mode,
        Meta(
            description="Where the facts about payments come from: `recorded` with each decision, the"
            " default; `reconstructed` from the log; `auto` reconstructs only missing ones."
        ),
    ] = Mode.RECORDED
    sample_ppm: Annotated[
        int,
        _number(
            "sample_ppm", "The sample of the payments in parts per million; the default is all."
        ),
    ] = WHOLE
    seed: Annotated[int, _number("seed", "Another seed draws another sample.")] = 0
    mature_days: Annotated[
        int,
        _number("mature_days", "A completed payment without fraud is good after so many days."),
    ] = MATURE.days

    @classmethod
    def stored_text(cls, field: str, value: str) -> str:  # noqa: ARG003 - for others
        return value

    @classmethod
    def wrong_values(cls, values: Mapping[str, Any]) -> Iterator[FieldError]:
        for name, (least, most) in _RANGES.items():
            if (given := values.get(name)) is not None and not least <= given <= most:
                yield FieldError(name, "out_of_range", f"It must be from {least} to {most}.")
        for name in ("policy_id", "baseline_policy_id"):
            if (given := values.get(name)) is not None and not is_id(given):
                yield FieldError(
                    name, "wrong_format", "Send the id of a policy: 64 hexadecimal digits."
                )
        for name in ("since", "until"):
            if (given := values.get(name)) is not None:
                try:
                    times.moment(given)
                except ValueError as error:
                    yield FieldError(name, "wrong_format", str(error))

    def sent(self) -> dict[str, Any]:
        """Return the fields as JSON, with defaults. Raises Problem if any is wrong."""
        return {**self.checked(), "mode": self.mode.value}

    def range(self) -> tuple[datetime | None, datetime | None]:
        return _moment(self.since), _moment(self.until)

    @property
    def mature(self) -> timedelta:
        return timedelta(days=self.mature_days)


def _moment(text: str | UnsetType) -> datetime | None:
    return None if text is UNSET else times.moment(text)
