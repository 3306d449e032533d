"""The problem codes of risk policies and backtests, a part of the catalogue."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from payments.api.problems.kind import Kind, Repeat

POLICIES: Final[Mapping[str, Kind]] = {
    "unknown_policy": Kind(
        HTTPStatus.NOT_FOUND,
        "The risk policy does not exist",
        Repeat.CORRECTED,
        "No policy that was ever proposed has this id, and neither has the built-in one.",
        "List the policies, and use an `id` from there.",
    ),
    "backtest_not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "The backtest does not exist",
        Repeat.CORRECTED,
        "No backtest has this id.",
        "List the backtests, and use an `id` from there.",
    ),
    "backtest_ended": Kind(
        HTTPStatus.CONFLICT,
        "The backtest has ended",
        Repeat.NEVER,
        "The backtest is done or has failed, so it cannot be cancelled.",
        "Read the backtest.",
    ),
    "too_many_backtests": Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Ten backtests are not finished",
        Repeat.LATER,
        "At most ten backtests wait or run at a time.",
        "Wait until one has ended, or cancel one.",
    ),
}
