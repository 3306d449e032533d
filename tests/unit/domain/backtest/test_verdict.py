"""The sentences that summarize a result."""

from msgspec.structs import replace

from payments.domain.backtest.evaluable import Fact
from payments.domain.backtest.labels import Label
from payments.domain.backtest.outcomes import LeftOut, Outcome
from payments.domain.backtest.result import (
    BandCount,
    Cell,
    DecisionTime,
    Result,
    Workload,
    result_of,
)
from payments.domain.backtest.sampling import share
from payments.domain.backtest.tally import UNSCORED, Tally
from payments.domain.backtest.verdict import limits, verdict
from payments.domain.risk.policy import Band

EMPTY = result_of(Tally())


def cell(candidate: Outcome, label: Label, payments: int, minor: int, **changes: object) -> Cell:
    changes = {"baseline": Outcome.PASS, "currency": "USD", **changes}
    return Cell(candidate=candidate, label=label, payments=payments, minor=minor, **changes)  # type: ignore[arg-type]


def result(*cells: Cell, **changes: object) -> Result:
    flips = sum(each.payments for each in cells if each.is_flip)
    return replace(
        EMPTY,
        **{"payments": 12_034, "evaluated": 12_034, "matrix": cells, "flips": flips} | changes,
    )


def minutes(count: int) -> Workload:
    return replace(EMPTY.candidate, minutes=count)


def test_verdict_states_payments_labels_money_and_hours() -> None:
    found = result(
        cell(Outcome.REVIEW, Label.FRAUD, 41, 400_000_00),
        cell(Outcome.REVIEW, Label.GOOD, 190, 700_000_00),
        cell(Outcome.REVIEW, Label.NOT_MATURE, 50, 60_000_00),
        cell(Outcome.REVIEW, Label.EXPIRED, 30, 40_000_00),
        cell(Outcome.PASS, Label.GOOD, 11_723, 1),
        candidate=minutes(1_900),
        baseline=minutes(40),
    )

    assert verdict(found) == (
        "Of 12,034 payments, 311 would newly wait for review (41 fraud, 190 good, 80 unknown);"
        " $1,200,000.00 more held; about 31 more reviewer hours."
    )


def test_verdict_states_each_new_outcome_and_each_currency() -> None:
    found = result(
        cell(Outcome.PASS, Label.GOOD, 3, 500, baseline=Outcome.REVIEW),
        cell(Outcome.BLOCK, Label.FRAUD, 1, 900, currency="JPY"),
        baseline=minutes(18),
    )

    assert verdict(found) == (
        "Of 12,034 payments, 1 would newly be blocked (1 fraud, 0 good, 0 unknown); 3 would newly"
        " pass (0 fraud, 3 good, 0 unknown); $5.00 less held; ¥900 more blocked;"
        " about 18 fewer reviewer minutes."
    )


def test_verdict_names_at_most_three_currencies() -> None:
    currencies = ["USD", "EUR", "GBP", "JPY", "CHF"]
    found = result(
        *(cell(Outcome.REVIEW, Label.GOOD, 1, 100, currency=each) for each in currencies)
    )

    assert "CHF\N{NO-BREAK SPACE}1.00 more held; €1.00 more held; £1.00 more held;" in verdict(
        found
    )
    assert "held also in 2 other currencies" in verdict(found)


def test_verdict_without_changes_says_so() -> None:
    assert verdict(result()) == "Of 12,034 payments, none would be decided otherwise."
    assert verdict(EMPTY) == "No payment of the range could be evaluated."


def test_verdict_of_a_sample_is_not_scaled() -> None:
    found = result(
        cell(Outcome.REVIEW, Label.GOOD, 10, 100),
        evaluated=1_000,
        not_sampled=11_034,
        flip_share=share(10, 1_000),
    )

    assert verdict(found).startswith("Of 1,000 payments in the sample, 10 would newly wait")
    assert any("95 % confidence, 0.5 % to 1.8 %" in each for each in limits(found))


def test_limits_always_begin_with_history_and_name_what_is_missing() -> None:
    assumed = DecisionTime(observed=3, ms=360_000, assumed=True)
    observed = replace(assumed, assumed=False)

    assert limits(result(decision_time=observed)) == (
        "History as it was: a blocked payment has no outcome, and customers might have behaved"
        " differently.",
    )
    found = limits(
        result(
            decision_time=assumed,
            not_evaluable={Fact.COUNTRY: 1, Fact.VELOCITY: 2},
            not_evaluable_payments=2,
            left_out={LeftOut.METHOD_LIMIT: 1},
            reconstructed=1,
            bands=(BandCount(baseline=UNSCORED, candidate=Band.LOW, payments=3),),
            drift=1,
            drift_checked=12,
            drift_unknown_policy=2,
        )
    )
    for part in (
        "3 payments were not scored when they were made: in the history, they passed.",
        "1 payment was evaluated with features that were computed from the log.",
        "the country (1), the customer's earlier payments (2)",
        "over the limit of the method (1)",
        "assume 6 minutes",
        "1 of 12 decisions",
        "the policy that decided on 2 payments",
    ):
        assert any(part in each for each in found), part


def test_limits_have_a_text_for_each_fact_and_each_reason_to_leave_out() -> None:
    found = result(
        not_evaluable=dict.fromkeys(Fact, 1),
        not_evaluable_payments=len(Fact),
        left_out=dict.fromkeys(LeftOut, 1),
    )

    assert len(limits(found)) == 4


def test_verdict_without_labels_names_none() -> None:
    found = result(cell(Outcome.REVIEW, Label.NOT_MATURE, 3, 500))

    assert verdict(found, labeled=False) == (
        "Of 12,034 payments, 3 would newly wait for review; $5.00 more held."
    )
    _, no_labels, hours = limits(found, labeled=False)
    assert "does not know which payments were fraud" in no_labels
    assert hours == "Reviewer hours assume 6 minutes for each decision."
