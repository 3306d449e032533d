"""The register of policies: two people per policy, one active policy at a time."""

import json
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from payments.aggregates import POLICY_AGGREGATE
from payments.domain.risk.conditions import AnyCondition
from payments.domain.risk.policy import DEFAULT_POLICY, PolicyDocument, PolicyStatus, RiskPolicy
from payments.domain.risk.refusals import (
    ActivePolicyChanged,
    ActivePolicyKept,
    BuiltInPolicyActive,
    PolicyAlreadyActive,
    PolicyAlreadyProposed,
    PolicyNotFound,
    PolicyNotProposed,
    PolicyRefused,
    SecondPersonNeeded,
)
from payments.domain.risk.register import (
    POLICY_EVENT_CLASSES,
    REGISTER,
    AnyPolicyEvent,
    ApprovePolicy,
    AttachBacktest,
    PolicyApproved,
    PolicyBacktested,
    PolicyProposed,
    PolicyRetired,
    ProposePolicy,
    Register,
    RetirePolicy,
    checked_comment,
    checked_name,
    decide,
    evolve,
)
from payments.domain.text import TextError
from payments.events import codec
from payments.events.replay import fold
from tests.support.examples import LATER, NOON
from tests.support.policies import BACKTEST, backtest_of

ADA, GRACE = "staff:7", "staff:8"


def policy(high_from: int) -> RiskPolicy:
    return RiskPolicy.of(replace(DEFAULT_POLICY.document, high_from=high_from))


ONE: Final = policy(71)
OTHER: Final = policy(72)


def propose(each: RiskPolicy = ONE, by: str = ADA) -> ProposePolicy:
    return ProposePolicy(policy=each, at=NOON, by=by)


def approve(each: RiskPolicy = ONE, by: str = GRACE) -> ApprovePolicy:
    return ApprovePolicy(policy_id=each.policy_id, at=LATER, by=by)


def retire(each: RiskPolicy = ONE, by: str = ADA) -> RetirePolicy:
    return RetirePolicy(policy_id=each.policy_id, at=LATER, by=by)


def attach(each: RiskPolicy = ONE, by: str = ADA) -> AttachBacktest:
    return AttachBacktest(policy_id=each.policy_id, backtest=backtest_of(each), at=LATER, by=by)


def after(*commands: Any) -> Register:
    register = Register()
    for command in commands:
        for event in decide(register, command):
            register = evolve(register, REGISTER, event)
    return register


def statuses(register: Register) -> list[PolicyStatus]:
    return [each.status for each in register.policies.values()]


def test_proposed_policy_is_not_active() -> None:
    register = after(propose())
    assert (statuses(register), register.active) == ([PolicyStatus.PROPOSED], None)


def test_approval_by_second_person_activates_policy() -> None:
    register = after(propose(), approve())
    assert (statuses(register), register.active) == ([PolicyStatus.ACTIVE], ONE.policy_id)
    assert register.policies[ONE.policy_id].approved_by == GRACE


def test_approval_by_proposer_is_refused() -> None:
    """This test fails without the comparison in _require_approvable."""
    with pytest.raises(SecondPersonNeeded):
        after(propose(), approve(by=ADA))


def test_approval_is_bound_to_the_active_policy_that_was_compared() -> None:
    built_in = DEFAULT_POLICY.policy_id
    register = after(propose(), replace(approve(), compared_with=built_in), propose(OTHER))

    with pytest.raises(ActivePolicyChanged):
        decide(register, replace(approve(OTHER), compared_with=built_in))

    assert decide(register, replace(approve(OTHER), compared_with=ONE.policy_id))


def test_approval_retires_previous_policy_in_same_append() -> None:
    register = after(propose(), approve(), propose(OTHER))
    assert decide(register, approve(OTHER)) == (
        PolicyApproved(at=LATER, by=GRACE, policy_id=OTHER.policy_id, active=OTHER.policy_id),
        PolicyRetired(
            at=LATER,
            by=GRACE,
            policy_id=ONE.policy_id,
            replaced_by=OTHER.policy_id,
            active=OTHER.policy_id,
        ),
    )


@pytest.mark.parametrize("by", [ADA, GRACE, "staff:9"])
def test_withdrawal_of_active_policy_is_refused(by: str) -> None:
    """Otherwise, one person could replace a strict policy with the built-in one."""
    with pytest.raises(ActivePolicyKept):
        after(propose(), approve(), retire(by=by))


def test_built_in_policy_returns_by_proposal_and_approval() -> None:
    register = after(propose(), approve(), propose(DEFAULT_POLICY), approve(DEFAULT_POLICY))
    assert register.active == DEFAULT_POLICY.policy_id
    assert statuses(register) == [PolicyStatus.REPLACED, PolicyStatus.ACTIVE]
    with pytest.raises(SecondPersonNeeded):
        after(propose(), approve(), propose(DEFAULT_POLICY), approve(DEFAULT_POLICY, by=ADA))


def test_replay_accepts_old_retirement_of_active_policy() -> None:
    register = after(propose(), approve())
    old = PolicyRetired(at=LATER, by=ADA, policy_id=ONE.policy_id)
    retired = evolve(register, REGISTER, old)
    assert (statuses(retired), retired.active) == (["replaced"], None)


def test_withdrawal_of_proposal_keeps_active_policy() -> None:
    register = after(propose(), approve(), propose(OTHER), retire(OTHER))
    assert register.active == ONE.policy_id


def test_ended_policy_is_withdrawn_before_and_replaced_after_its_approval() -> None:
    register = after(propose(), approve(), propose(OTHER), retire(OTHER), propose(OTHER))
    withdrawn = after(propose(), retire()).policies[ONE.policy_id]
    replaced = evolve(register, REGISTER, *decide(register, approve(OTHER))[1:]).policies

    assert (withdrawn.status, withdrawn.replaced_by) == (PolicyStatus.WITHDRAWN, None)
    assert replaced[ONE.policy_id].status is PolicyStatus.REPLACED
    assert replaced[ONE.policy_id].replaced_by == OTHER.policy_id


def test_register_keeps_name_and_comment_of_latest_proposal() -> None:
    named = replace(propose(), policy_name="Lower limits", comment="After the losses of May.")
    again = replace(propose(by=GRACE), policy_name="Lower limits again")

    first = after(named).policies[ONE.policy_id]
    second = after(named, retire(), again).policies[ONE.policy_id]

    assert (first.name, first.comment) == ("Lower limits", "After the losses of May.")
    assert (second.name, second.comment) == ("Lower limits again", "")


@pytest.mark.parametrize(
    ("check", "given"),
    [
        (checked_name, " "),
        (checked_name, "W" * 81),
        (checked_name, "two\nlines"),
        (checked_name, "4111 1111 1111 1111"),
        (checked_comment, "W" * 1001),
        (checked_comment, "\u202eabc"),
    ],
)
def test_names_and_comments_follow_rules_of_texts(check: Any, given: str) -> None:
    with pytest.raises(TextError):
        check(given)


def test_comment_has_lines_and_may_be_empty() -> None:
    assert checked_comment(" one\r\ntwo ") == "one\ntwo"
    assert checked_comment("  ") == ""


def test_retired_policy_needs_new_proposal_and_approval() -> None:
    replaced = propose(), approve(), propose(OTHER), approve(OTHER)
    register = after(*replaced, propose(by=GRACE))

    assert statuses(register) == [PolicyStatus.PROPOSED, PolicyStatus.ACTIVE]
    assert register.active == OTHER.policy_id
    assert after(*replaced, propose(by=GRACE), approve(by=ADA)).active == ONE.policy_id


@pytest.mark.parametrize(
    ("commands", "refusal"),
    [
        ([approve()], PolicyNotFound),
        ([retire()], PolicyNotFound),
        ([propose(), propose(by=GRACE)], PolicyAlreadyProposed),
        ([propose(), approve(), propose()], PolicyAlreadyProposed),
        ([propose(), approve(), approve(by=ADA)], PolicyAlreadyActive),
        ([propose(), retire(), approve()], PolicyNotProposed),
        ([propose(), retire(), retire()], PolicyNotProposed),
        ([propose(DEFAULT_POLICY)], BuiltInPolicyActive),
    ],
)
def test_command_in_wrong_state_is_refused(
    commands: list[Any], refusal: type[PolicyRefused]
) -> None:
    with pytest.raises(refusal) as caught:
        after(*commands)

    assert caught.value.short_id in str(caught.value) or refusal is BuiltInPolicyActive


def test_refusal_of_second_approval_names_first_approver() -> None:
    with pytest.raises(PolicyAlreadyActive) as caught:
        after(propose(), approve(), approve(by=ADA))

    assert (caught.value.approved_by, caught.value.approved_at) == (GRACE, LATER)


commands: Final = st.lists(
    st.builds(
        lambda make, each, by: make(each, by),
        st.sampled_from([propose, attach, approve, retire]),
        st.sampled_from([ONE, OTHER, DEFAULT_POLICY]),
        st.sampled_from([ADA, GRACE]),
    ),
    max_size=30,
)


@given(commands)
def test_at_most_one_policy_is_active_and_approved_by_another_person(sequence: list[Any]) -> None:
    register = Register()
    history: list[AnyPolicyEvent] = []
    for command in sequence:
        try:
            events = decide(register, command)
        except PolicyRefused:
            continue
        history += events
        before, register = register, fold(POLICY_AGGREGATE, REGISTER, history) or Register()
        if register.active != before.active:
            assert command.by != before.policies[register.active or ""].proposed_by
        active = [key for key, each in register.policies.items() if each.status == "active"]
        assert active == ([register.active] if register.active else [])
        for each in register.policies.values():
            assert each.approved_by != each.proposed_by
    assert register.version == len(history)


_DOCUMENT: Final = (
    '{"rules":[{"reason":"large","points":80,"then":"review","when":'
    '[{"type":"amount_over","limits":{"USD":100}},{"type":"method_in","methods":["wallet"]}'
    ',{"type":"country_in","countries":["DE"]},{"type":"payments_over","window":"1h","count":3}'
    ',{"type":"volume_over","window":"24h","limits":{"USD":5}},{"type":"new_customer"}'
    ',{"type":"customer_blocked"},{"type":"first_card_payment"},{"type":"in_list","list":"stolen"}'
    ',{"type":"features_older_than","ms":7}]}]'
    ',"medium_from":40,"high_from":70,"review_over":{"USD":100},"block_over":{"USD":900}}'
)
_AT: Final = '"at":"2026-01-05T12:00:00Z"'
SAMPLES: Final[list[tuple[str, AnyPolicyEvent]]] = [
    (
        f'{{{_AT},"policy_id":"ab","by":"staff:7","document":{_DOCUMENT}}}',
        PolicyProposed(
            at=NOON,
            policy_id="ab",
            by=ADA,
            document=msgspec.json.decode(_DOCUMENT, type=PolicyDocument),
        ),
    ),
    (
        f'{{{_AT},"policy_id":"ab","by":"staff:8","active":"ab"}}',
        PolicyApproved(at=NOON, policy_id="ab", by=GRACE, active="ab"),
    ),
    (
        f'{{{_AT},"policy_id":"cd","by":"staff:8","active":"ab","replaced_by":"ab"}}',
        PolicyRetired(at=NOON, policy_id="cd", by=GRACE, active="ab", replaced_by="ab"),
    ),
    (
        f'{{{_AT},"policy_id":"ab","by":"staff:7","document":{_DOCUMENT}'
        ',"name":"Lower limits","comment":"After the losses of May."}',
        PolicyProposed(
            at=NOON,
            policy_id="ab",
            by=ADA,
            document=msgspec.json.decode(_DOCUMENT, type=PolicyDocument),
            name="Lower limits",
            comment="After the losses of May.",
        ),
    ),
    (
        f'{{{_AT},"policy_id":"ab","by":"staff:7","backtest":{{'
        '"backtest_id":"0192f000-0000-4000-8000-00000000b001","policy_id":"ab"'
        f',"digest":"{"d1" * 32}","since":0,"upto":90,"known_at":"2026-01-05T12:00:00Z"'
        ',"mode":"recorded","sample_ppm":1000000,"evaluated":30,"flips":2,"known_ppm":500000'
        ',"changes":[{"baseline":"pass","candidate":"review","label":"fraud","currency":"USD"'
        ',"payments":2,"minor":90000}],"before":{"payments":1,"minutes":6,"reviewers":1}'
        ',"after":{"payments":3,"minutes":18,"reviewers":1},"drift":0,"not_evaluable":0'
        ',"verdict":"Of 30 payments, 2 would newly wait for review."'
        ',"limits":["History as it was."]}}',
        PolicyBacktested(
            at=NOON, policy_id="ab", by=ADA, backtest=replace(BACKTEST, policy_id="ab")
        ),
    ),
]


@pytest.mark.parametrize(("stored", "event"), SAMPLES)
def test_stored_policy_event_is_read_and_written_unchanged(
    stored: str, event: AnyPolicyEvent
) -> None:
    """Never change a sample: databases contain it."""
    assert POLICY_AGGREGATE.decode(event.event_type, 1, stored) == event
    (row,) = json.loads(codec.encode_rows([{"data": event}]))
    assert row["data"] == json.loads(stored)


def test_sample_of_document_has_every_condition() -> None:
    document = msgspec.json.decode(_DOCUMENT, type=PolicyDocument)

    sampled = {type(condition) for rule in document.rules for condition in rule.when}

    assert sampled == set(get_args(AnyCondition))


def test_every_policy_event_has_sample() -> None:
    assert {type(event) for _, event in SAMPLES} == set(POLICY_EVENT_CLASSES)
    with pytest.raises(codec.UnknownEventType):
        POLICY_AGGREGATE.decode("policy.burnt", 1, "{}")
