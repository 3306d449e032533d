"""Strategies of hypothesis for valid policy documents."""

from typing import Any, Final

from hypothesis import strategies as st

from payments.domain.list_items import ListName
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR
from payments.domain.risk.conditions import (
    AmountOver,
    CountryIn,
    CustomerBlocked,
    FeaturesOlderThan,
    FirstCardPayment,
    InList,
    MethodIn,
    NewCustomer,
    PaymentsOver,
    VolumeOver,
    Window,
)
from payments.domain.risk.policy import PolicyDocument, Rule, Verdict

_CURRENCIES: Final = ["USD", "EUR", "JPY", "KWD"]
_SOME: Final = st.lists(st.sampled_from(_CURRENCIES), unique=True)
# Few reasons, so that two documents have rules in common.
_REASONS: Final = st.lists(
    st.sampled_from(["large", "busy", "new_customer", "abroad"]), max_size=3, unique=True
)


@st.composite
def limits(draw: st.DrawFn, required: list[str], least: dict[str, int] | None = None) -> Any:
    currencies = {*required, *draw(_SOME)}
    return {
        currency: draw(st.integers((least or {}).get(currency, 0), MAX_MINOR))
        for currency in sorted(currencies)
    }


def conditions(required: list[str]) -> st.SearchStrategy[Any]:
    """Return conditions of every type, with limits for the required currencies."""
    windows = st.sampled_from(Window)
    return st.one_of(
        st.sampled_from([FirstCardPayment(), NewCustomer(), CustomerBlocked()]),
        st.builds(MethodIn, _several(st.sampled_from(Method))),
        st.builds(CountryIn, _several(st.sampled_from(["DE", "FR", "JP", "US"]))),
        st.builds(AmountOver, limits(required)),
        st.builds(PaymentsOver, windows, st.integers(1, 10**15)),
        st.builds(VolumeOver, windows, limits(required)),
        st.builds(InList, st.sampled_from([ListName("watched"), ListName("trusted")])),
        st.builds(FeaturesOlderThan, st.integers(0, 10**15)),
    )


def _several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=1, unique=True).map(tuple)


@st.composite
def documents(draw: st.DrawFn) -> PolicyDocument:
    reviewed = draw(limits(["USD"]))
    required = sorted(reviewed)
    medium = draw(st.integers(1, 100))
    return PolicyDocument(
        rules=tuple(
            Rule(
                reason=reason,
                points=draw(st.integers(0, 100)),
                when=tuple(draw(st.lists(conditions(required), min_size=1, max_size=2))),
                then=draw(st.none() | st.sampled_from(Verdict)),
            )
            for reason in draw(_REASONS)
        ),
        medium_from=medium,
        high_from=draw(st.integers(medium + 1, 1000)),
        review_over=reviewed,
        block_over=draw(st.just({}) | limits([], least=reviewed)),
        four_eyes_over=draw(st.just({}) | limits(required)),
        reject_from=draw(st.none() | st.integers(1, 1000)),
        review_hours=draw(st.integers(1, 2160)),
    )
