"""Backtests of proposed policies are attached and replaced. An approval may require one."""

from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec.structs import replace

from payments.domain.risk.evidence import FRESH
from payments.domain.risk.policy import PolicyStatus
from payments.domain.risk.refusals import (
    BacktestOfAnotherPolicy,
    PolicyNotBacktested,
    PolicyRefused,
)
from payments.domain.risk.register import REGISTER, PolicyBacktested, Register, decide, evolve
from tests.support.examples import LATER, NOON
from tests.support.policies import backtest_of
from tests.unit.domain.test_policy import (
    GRACE,
    ONE,
    OTHER,
    after,
    approve,
    attach,
    propose,
    retire,
)
from tests.unit.domain.test_readme_tables import cells

REFUSALS: Final = {
    "PolicyNotFound": "not found",
    "PolicyAlreadyProposed": "already proposed",
    "PolicyAlreadyActive": "already active",
    "ActivePolicyKept": "active policy kept",
    "PolicyNotProposed": "not proposed",
}
HISTORIES: Final[dict[str, list[Any]]] = {
    "unknown": [],
    "proposed": [propose()],
    "active": [propose(), approve()],
    "withdrawn": [propose(), retire()],
    "replaced": [propose(), approve(), propose(OTHER), approve(OTHER)],
}
COMMANDS: Final[dict[str, Any]] = {
    "propose": propose(),
    "attach a backtest": attach(),
    "approve": approve(),
    "withdraw": retire(),
}


def outcome(register: Register, command: Any) -> str:
    try:
        (event, *_) = decide(register, command)
    except PolicyRefused as error:
        return REFUSALS[type(error).__name__]
    if isinstance(event, PolicyBacktested):
        return "**backtested**"
    return f"**{evolve(register, REGISTER, event).policies[ONE.policy_id].status}**"


@pytest.mark.parametrize(("state", "command", "cell"), cells("the policy is"))
def test_table_of_policies_matches_decide(state: str, command: str, cell: str) -> None:
    assert outcome(after(*HISTORIES[state]), COMMANDS[command]) == cell


def test_attached_backtest_is_kept_with_person_and_time() -> None:
    found = after(propose(), attach(by=GRACE)).policies[ONE.policy_id]

    assert (found.status, found.backtest) == (PolicyStatus.PROPOSED, backtest_of(ONE))
    assert (found.backtest_attached_by, found.backtest_attached_at) == (GRACE, LATER)


def test_backtest_of_another_policy_is_refused() -> None:
    """This test fails without the comparison in `decide`."""
    wrong = replace(attach(), backtest=backtest_of(OTHER))

    with pytest.raises(BacktestOfAnotherPolicy) as caught:
        after(propose(), wrong)

    assert (caught.value.policy_id, caught.value.tested) == (ONE.policy_id, OTHER.policy_id)


def test_second_attachment_of_same_backtest_appends_nothing() -> None:
    register = after(propose(), attach())

    assert decide(register, attach(by=GRACE)) == ()


def test_latest_backtest_replaces_earlier_one() -> None:
    later = replace(attach(), backtest=backtest_of(ONE, flips=9))

    found = after(propose(), attach(), later).policies[ONE.policy_id]

    assert found.backtest == later.backtest


def test_new_proposal_has_no_backtest() -> None:
    found = after(propose(), attach(), retire(), propose()).policies[ONE.policy_id]

    assert found.backtest is None


@pytest.mark.parametrize(
    ("histories", "age", "refused"),
    [
        ([propose()], timedelta(), True),
        ([propose(), attach()], timedelta(), False),
        ([propose(), attach()], FRESH - timedelta(seconds=1), False),
        ([propose(), attach()], FRESH, True),
        ([propose(), attach(), retire(), propose()], timedelta(), True),
    ],
)
def test_approval_needs_fresh_backtest_if_demanded(
    histories: list[Any], age: timedelta, *, refused: bool
) -> None:
    """This test fails without the condition in _require_approvable."""
    register = after(*histories)
    approval = replace(approve(), at=NOON + age)

    demanded = replace(approval, needs_backtest=True)

    assert decide(register, approval)
    if refused:
        with pytest.raises(PolicyNotBacktested, match="attach it to the proposal"):
            decide(register, demanded)
    else:
        assert decide(register, demanded) == decide(register, approval)
