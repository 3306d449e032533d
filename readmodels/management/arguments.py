"""Argument types for `manage.py backtest`."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from payments.domain.backtest.sampling import WHOLE
from readmodels.queries import times

_MOST_WORKERS: Final = 64
_DURATION: Final = re.compile(r"(\d{1,5})([dh])")


def _argument(read: Callable[[str], Any], accepted: str) -> Callable[[str], Any]:
    def argument(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not {accepted}.") from None

    return argument


def _read_duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    count = int(found[1])
    return timedelta(days=count) if found[2] == "d" else timedelta(hours=count)


def _read_share(text: str) -> int:
    """Return a percentage in parts per million."""
    ppm = float(text.removesuffix("%")) * WHOLE / 100
    if not text.endswith("%") or not 1 <= ppm <= WHOLE:
        raise ValueError(text)
    return round(ppm)


def _between(first: int, last: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not first <= int(text) <= last:
            raise ValueError(text)
        return int(text)

    return read


moment: Final = _argument(times.moment, "a time like 2026-11-23T12:00:00Z, or a date")
duration: Final = _argument(_read_duration, "a number of days or hours, like 90d or 12h")
share: Final = _argument(_read_share, "a percentage from 0.0001% to 100%")
seed: Final = _argument(_between(0, 2**31 - 1), f"a number from 0 to {2**31 - 1}")
workers: Final = _argument(_between(1, _MOST_WORKERS), f"a number from 1 to {_MOST_WORKERS}")
