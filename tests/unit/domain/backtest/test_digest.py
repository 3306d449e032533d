"""The first difference between two results."""

from msgspec.structs import replace

from payments.domain.backtest.digest import Difference, first_difference
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import Result, result_of
from tests.support.backtesting import question, random_cases, tally_of


def result(seed: int = 1) -> Result:
    return result_of(tally_of(question(mode=Mode.AUTO), random_cases(seed, 200)))


def test_equal_results_have_no_difference() -> None:
    assert first_difference(result(), result()) is None


def test_first_difference_names_the_cell_and_both_values() -> None:
    first = result()
    cell = first.matrix[2]
    altered = replace(cell, payments=cell.payments + 1)
    second = replace(first, matrix=(*first.matrix[:2], altered, *first.matrix[3:]), drift=9)

    found = first_difference(first, second)

    assert found is not None
    assert found.place == (
        f"matrix, {cell.baseline} {cell.candidate} {cell.label} {cell.currency}, payments"
    )
    assert (found.first, found.second) == (cell.payments, cell.payments + 1)
    assert str(found) == f"{found.place}: {cell.payments} and {cell.payments + 1}"


def test_first_difference_names_a_row_that_one_result_does_not_have() -> None:
    first = result()
    second = replace(first, rules=first.rules[1:])
    rule = first.rules[0]

    found = first_difference(first, second)

    assert found == Difference(f"rules, {rule.rule} {rule.kind}, fired", rule.fired, None)
    assert str(found).endswith(f"{rule.fired} and missing")


def test_results_of_other_payments_differ() -> None:
    assert first_difference(result(1), result(2)) is not None
