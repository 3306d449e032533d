"""The form that asks what a policy would have decided over history."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import msgspec
from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from payments.application import policies
from payments.domain.backtest.labels import MATURE
from payments.domain.backtest.question import Mode
from payments.domain.backtest.sampling import WHOLE
from payments.domain.risk.policy import RiskPolicy
from payments.domain.risk.register import Register
from readmodels import labels
from readmodels.admin.base.dates import read_day
from readmodels.backtests.requests import Request
from readmodels.policies.names import names_of

_HISTORY: Final = ""
_ALL: Final = "all"
_DAYS: Final = "days"
_RANGES: Final = (
    ("30", "The last 30 days"),
    ("90", "The last 90 days"),
    ("365", "The last 365 days"),
    (_ALL, "The whole log"),
    (_DAYS, "From one day to another"),
)
_MODES: Final = (
    (Mode.RECORDED.value, "As recorded with each decision"),
    (Mode.AUTO.value, "Recorded, or computed where nothing was recorded (imported payments)"),
    (Mode.RECONSTRUCTED.value, "Computed from the log for all payments"),
)
_MOST_DAYS: Final = 3_650
_MOST_SEED: Final = 2**31 - 1
_ONE_DAY: Final = timedelta(days=1)


def _day(**attributes: str) -> UnfoldAdminTextInputWidget:
    return UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", **attributes})


class BacktestForm(forms.Form):
    """The form that starts a backtest. The page sets `key`, so that a double click starts one."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    range = forms.ChoiceField(
        label="Payments of",
        choices=_RANGES,
        initial="90",
        widget=UnfoldAdminSelectWidget,
        help_text="By the time of recording. Nothing after the end is known, not even for labels.",
    )
    since = forms.CharField(
        label="First day",
        required=False,
        widget=_day(),
        help_text="Only for “From one day to another”. A day in UTC, like 2026-06-01.",
    )
    until = forms.CharField(
        label="Last day",
        required=False,
        widget=_day(),
        help_text="It is included. Empty: until now.",
    )
    baseline = forms.ChoiceField(
        label="Compare with",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="History is what was decided at the time.",
    )
    mode = forms.ChoiceField(
        label="Facts about each payment",
        choices=_MODES,
        initial=Mode.RECORDED.value,
        widget=UnfoldAdminSelectWidget,
        help_text="A payment without a fact that the policy needs is counted, but not evaluated.",
    )
    sample = forms.DecimalField(
        label="Sample in %",
        min_value=Decimal("0.0001"),
        max_value=100,
        decimal_places=4,
        initial=100,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="100 evaluates all payments. A smaller sample is faster, but gives an interval.",
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=_MOST_SEED,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Another number draws another sample.",
    )
    mature = forms.IntegerField(
        label="Good after days",
        min_value=0,
        max_value=_MOST_DAYS,
        initial=MATURE.days,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A completed payment counts as good after so many days without a sign of fraud.",
    )

    def __init__(self, register: Register, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._policies = policies.all_of(register)
        baseline = self.fields["baseline"]
        assert isinstance(baseline, forms.ChoiceField)  # noqa: S101
        baseline.choices = [(_HISTORY, "History"), *_choices(register)]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if "key" in self.errors:
            self.add_error(None, "The form is incomplete. Load the page again.")
        if given.get("range") == _DAYS:
            since, until = (self._read_day(name) for name in ("since", "until"))
            if since is None and "since" not in self.errors:
                self.add_error("since", "Enter the first day, or choose another range.")
            if since and until and until < since:
                self.add_error("until", "The range ends before it begins.")
            given["first"], given["last"] = since, until
        return given

    def backtest_id(self, candidate: RiskPolicy, *, by: str) -> UUID:
        """Return the id of the backtest. Sending the same form again gives the same id."""
        fields = {name: self.data.get(name, "") for name in self.fields}
        name = msgspec.json.encode([by, candidate.policy_id, fields])
        return uuid5(self.cleaned_data["key"], name.decode())

    def question(self, candidate: RiskPolicy, *, at: datetime) -> Request:
        """Return the question. The form must be valid."""
        given = self.cleaned_data
        since, until = self._range(at)
        return Request(
            candidate=candidate,
            baseline=self._policies[given["baseline"]] if given["baseline"] else None,
            since=since,
            until=until,
            mode=Mode(given["mode"]),
            sample_ppm=int(given["sample"] * WHOLE / 100),
            seed=given["seed"],
            mature=timedelta(days=given["mature"]),
        )

    def _range(self, at: datetime) -> tuple[datetime | None, datetime | None]:
        given = self.cleaned_data
        if given["range"] == _ALL:
            return None, None
        if given["range"] == _DAYS:
            last = given["last"]
            return given["first"], None if last is None else last + _ONE_DAY
        return at - timedelta(days=int(given["range"])), None

    def _read_day(self, name: str) -> datetime | None:
        text = self.cleaned_data.get(name, "").strip()
        if not text:
            return None
        try:
            return datetime.combine(read_day(text), time(), UTC)
        except ValueError as error:
            self.add_error(name, str(error))
            return None


def initial(since: str) -> dict[str, Any]:
    """Return the initial values of a new form. `since`, if not empty, is the first day."""
    return {"key": uuid4(), **({"range": _DAYS, "since": since} if since else {})}


def _choices(register: Register) -> list[tuple[str, str]]:
    """Return all policies, the active one first."""
    active = policies.active_of(register).policy_id
    names = names_of(register)
    for policy_id, each in register.policies.items():
        names[policy_id] += f" ({labels.label(each.status).lower()})"
    ordered = sorted(names, key=lambda policy_id: (policy_id != active, names[policy_id]))
    return [(policy_id, names[policy_id]) for policy_id in ordered]
