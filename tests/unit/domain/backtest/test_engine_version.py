"""A change that may change results needs a new ENGINE_VERSION, which is part of every digest."""

from typing import Final

from payments.domain.backtest.digest import digest
from payments.domain.backtest.question import ENGINE_VERSION, Mode
from payments.domain.backtest.result import result_of
from tests.support.backtesting import question, random_cases, tally_of

# The beginning of the result's digest for these random payments, by version.
DIGESTS: Final = {1: "3a5a1e509d4076ed", 2: "af9f81ff6266316a"}


def test_engine_version_has_the_digest_of_its_result() -> None:
    asked = question(mode=Mode.AUTO)

    found = digest(asked, result_of(tally_of(asked, random_cases(7, 1_000))))[:16]

    assert DIGESTS.get(ENGINE_VERSION) == found, (
        f"The digest is now {found}. If the engine changed, add it for the next ENGINE_VERSION."
        " If only the payments or policies of the test changed, replace it."
    )
