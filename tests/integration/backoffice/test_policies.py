"""Risk policies in the log, in the command, and in the scoring of payments."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import (
    REGISTER,
    AnyPolicyCommand,
    ApprovePolicy,
    ProposePolicy,
    RetirePolicy,
)
from payments.events.models import Event
from payments.events.reading import streams
from payments.permissions import NotPermitted
from readmodels.models import Checkpoint, EventIndex, PaymentSummary
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.checking import check_sample
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser
from tests.support.concurrency import at_once
from tests.support.oracle import check_read_models
from tests.support.policies import DOLLARS, STRICT, activate, propose, retire, staff
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def ada() -> str:
    return staff("ada")


@pytest.fixture
def grace() -> str:
    return staff("grace")


def test_payments_are_scored_by_the_active_policy(ada: str, grace: str) -> None:
    acme = ApiClient()

    def scored() -> tuple[str, str]:
        answer = body_of(acme.submit())
        event: Any = streams.history(PAYMENT_AGGREGATE, answer["id"])[1].event
        return answer["status"], event.risk.policy_id

    assert scored() == ("completed", DEFAULT_POLICY.policy_id)
    propose(DOLLARS, ada)
    assert scored() == ("completed", DEFAULT_POLICY.policy_id)
    policies.handle(ApprovePolicy(policy_id=DOLLARS.policy_id, at=timezone.now(), by=grace))
    assert scored() == ("pending_review", DOLLARS.policy_id)
    activate(STRICT, ada, grace)
    assert scored()[1] == STRICT.policy_id
    activate(DEFAULT_POLICY, ada, grace)
    assert scored() == ("completed", DEFAULT_POLICY.policy_id)


def test_known_policy_adds_no_round_trip_to_submitting(ada: str, grace: str) -> None:
    acme = ApiClient()
    activate(STRICT, ada, grace)
    for _ in range(7):  # until all statements are prepared
        acme.submit()
    with round_trips() as counted:
        acme.submit()
    assert counted.count == 2


def test_policy_author_is_the_proposer_as_of_the_position(ada: str, grace: str) -> None:
    """Regression: the author was a later proposer of the same policy."""
    activate(DOLLARS, ada, grace)
    before = Event.objects.latest("position").position
    activate(STRICT, ada, grace)
    propose(DOLLARS, grace)
    after = Event.objects.latest("position").position
    policies._known.clear()  # as in a new process
    for as_of, author in ((before, ada), (after, grace), (before, ada)):
        assert policies.in_force(DOLLARS.policy_id, as_of=as_of).author == author


def test_unknown_policy_takes_one_round_trip(ada: str, grace: str) -> None:
    activate(DOLLARS, ada, grace)
    as_of = Event.objects.latest("position").position
    for _ in range(2):  # the first run prepares the statement
        policies._known.clear()
        with round_trips() as counted:
            policies.in_force(DOLLARS.policy_id, as_of=as_of)
    assert counted.count == 1


def test_log_holds_each_policy_that_scored_a_payment(ada: str, grace: str) -> None:
    activate(STRICT, ada, grace)
    activate(DOLLARS, ada, grace)
    assert policies.by_id(STRICT.policy_id) == STRICT
    with pytest.raises(policies.UnknownPolicy):
        policies.by_id("0" * 64)


@pytest.mark.parametrize("role", ["viewer", "analyst", "senior reviewer", "auditor"])
def test_only_risk_managers_manage_policies(role: str, ada: str) -> None:
    other = staff("other", role)
    propose(STRICT, ada)
    commands: list[AnyPolicyCommand] = [
        ProposePolicy(policy=DOLLARS, at=timezone.now(), by=other),
        ApprovePolicy(policy_id=STRICT.policy_id, at=timezone.now(), by=other),
        RetirePolicy(policy_id=STRICT.policy_id, at=timezone.now(), by=other),
    ]
    for command in commands:
        with pytest.raises(NotPermitted):
            policies.handle(command)
    assert Event.objects.count() == 1


def test_proposer_cannot_approve_the_policy_even_as_superuser() -> None:
    root = staff("root", is_superuser=True)
    propose(STRICT, root)
    with pytest.raises(PolicyRefused, match="second person"):
        policies.handle(ApprovePolicy(policy_id=STRICT.policy_id, at=timezone.now(), by=root))


def test_concurrent_approvals_of_one_policy_succeed_once(ada: str, grace: str) -> None:
    propose(STRICT, ada)
    refused = []

    def approve(_: int) -> None:
        try:
            policies.handle(ApprovePolicy(policy_id=STRICT.policy_id, at=timezone.now(), by=grace))
        except PolicyRefused as error:
            refused.append(str(error))

    at_once(6, approve)
    assert len(refused) == 5
    assert all("is active already" in each for each in refused)
    assert policies.register().version == 2


def test_concurrent_approvals_of_two_policies_leave_one_active(ada: str, grace: str) -> None:
    propose(STRICT, ada)
    propose(DOLLARS, ada)

    def approve(number: int) -> None:
        policy = (STRICT, DOLLARS)[number]
        policies.handle(ApprovePolicy(policy_id=policy.policy_id, at=timezone.now(), by=grace))

    at_once(2, approve)
    statuses = sorted(each.status for each in policies.register().policies.values())
    assert statuses == ["active", "replaced"]


def test_payment_projections_skip_policy_events(ada: str, grace: str) -> None:
    acme = ApiClient()
    acme.submit()
    activate(STRICT, ada, grace)
    acme.submit()
    propose(DOLLARS, ada)
    retire(DOLLARS, ada)
    project()
    last = Event.objects.order_by("position").last()
    assert last is not None
    assert last.aggregate_type == "policy"
    assert set(Checkpoint.objects.values_list("position", flat=True)) == {last.position}
    assert PaymentSummary.objects.count() == 2
    assert EventIndex.objects.filter(event_type__startswith="policy.").count() == 4
    check_read_models()
    rebuild(list(PROJECTIONS.values()))
    check_read_models()
    summary: Any = PROJECTIONS["payment_summary"]
    assert not check_sample(summary, 50).drifted


def test_policy_register_is_not_a_payment(ada: str) -> None:
    acme = ApiClient()
    propose(STRICT, ada)
    for path in ("", "/events", "/state?version=1"):
        assert acme.get(f"{PAYMENTS}/{REGISTER}{path}").status_code == 404
    answer = acme.post(f"{PAYMENTS}/{REGISTER}/approve", {"reason": "known_customer"})
    assert answer.status_code == 404
    page = browser("senior reviewer", "linus").get(
        f"/admin/readmodels/paymentsummary/{REGISTER}/change/"
    )
    assert page.status_code == 404
    with pytest.raises(CommandError, match="There is no payment"):
        call_command("explain", str(REGISTER))


WITHDRAWN = RiskPolicy.of(replace(DEFAULT_POLICY.document, rules=()))


def withdrawn(folder: Path) -> Path:
    file = folder / "withdrawn.json"
    file.write_text(parsing.write(WITHDRAWN))
    return file


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("policy", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_policy_command_proposes_approves_and_retires(ada: str, grace: str, tmp_path: Path) -> None:
    assert "built-in active 5" in re.sub(r"\s+", " ", run("list"))
    assert parsing.read(run("show")) == DEFAULT_POLICY
    file = tmp_path / "policy.json"
    file.write_text(parsing.write(STRICT))
    short = STRICT.policy_id[:12]
    assert f"manage.py policy approve {short} --by USER" in run(
        "propose", file, "--name", "Stricter", "--by", "ada"
    )
    with pytest.raises(CommandError, match="ask a second person"):
        run("approve", short, "--by", "ada")
    assert run("approve", short, "--by", "grace") == f"{short} is active from now on.\n"
    assert parsing.read(run("show")) == STRICT
    with pytest.raises(CommandError, match="Only another policy ends it"):
        run("retire", short, "--by", "grace")
    run("propose", withdrawn(tmp_path), "--name", "No rules", "--comment", "A\nB", "--by", "ada")
    run("retire", WITHDRAWN.policy_id, "--by", "grace")
    assert re.search(r"No rules withdrawn 0 .* ada .* grace", re.sub(r"\s+", " ", run("list")))
    file.write_text(run("show", "built-in"))
    assert parsing.read(file.read_text()) == DEFAULT_POLICY
    built_in = DEFAULT_POLICY.policy_id[:12]
    run("propose", file, "--name", "Stricter", "--by", "ada")
    assert run("retire", built_in, "--by", "ada") == (
        f"{built_in} is withdrawn. The active policy is {short}.\n"
    )
    run("propose", file, "--name", "Stricter", "--by", "ada")
    run("approve", built_in, "--by", "grace")
    listed = re.sub(r"\s+", " ", run("list"))
    assert re.search(rf"{short} Stricter replaced 5 .* ada .* grace .* grace", listed)


def test_policy_command_shows_differences(ada: str, grace: str) -> None:
    activate(STRICT, ada, grace)
    propose(DOLLARS, ada)
    short = DOLLARS.policy_id[:12]

    from_active = run("diff", short).splitlines()
    from_built_in = run("diff", short, "built-in").splitlines()

    assert "Rule many_payments_1h, points: 100 -> 40" in from_active
    assert from_built_in == [
        "High risk held for review (EUR): over €10,000.00 -> always",
        "High risk held for review (GBP): over £8,000.00 -> always",
        "High risk held for review (JPY): over ¥1,500,000 -> always",
        "High risk held for review (USD): over $10,000.00 -> over $0.10",
    ]
    assert run("diff", "built-in", "built-in") == ""


def test_policy_approve_refuses_an_empty_id(ada: str, grace: str) -> None:
    """Otherwise, an unset shell variable would approve the only policy."""
    propose(DOLLARS, ada)

    with pytest.raises(CommandError, match="No policy begins with ''"):
        run("approve", "", "--by", "grace")


def test_policy_show_describes_the_policy_on_stderr(ada: str) -> None:
    propose(DOLLARS, ada, name="Dollars only", comment="No euros.")
    errors = StringIO()

    call_command("policy", "show", DOLLARS.policy_id[:12], stdout=StringIO(), stderr=errors)

    assert errors.getvalue().splitlines() == [
        f"{DOLLARS.policy_id}, proposed",
        "Dollars only",
        "No euros.",
        "Compared with the active policy:",
        "  High risk held for review (EUR): over €10,000.00 -> always",
        "  High risk held for review (GBP): over £8,000.00 -> always",
        "  High risk held for review (JPY): over ¥1,500,000 -> always",
        "  High risk held for review (USD): over $10,000.00 -> over $0.10",
    ]


def test_policy_command_reports_each_fault_on_one_line(ada: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(parsing.write(STRICT).replace('"points": 100', '"points": 1000'))
    with pytest.raises(CommandError) as refused:
        run("propose", file, "--name", "Stricter", "--by", "ada")
    lines = str(refused.value).splitlines()
    assert len(lines) == 5
    assert lines[0] == f"{file}: rule 1 (customer_blocked), points: It must be 0 to 100."
    for arguments, message in (
        (
            ("propose", tmp_path / "none.json", "--name", "Stricter", "--by", "ada"),
            "cannot be read: No such file",
        ),
        (("propose", file, "--name", "Stricter", "--by", "nobody"), "points: It must be"),
        (("approve", "feed", "--by", "ada"), "No policy begins with 'feed'"),
        (("show", "feed"), "No policy begins with 'feed'"),
    ):
        with pytest.raises(CommandError, match=message):
            run(*arguments)
    file.write_text(parsing.write(STRICT))
    for option, text in (("--name", "W" * 81), ("--comment", "W" * 1001)):
        with pytest.raises(CommandError, match=f"argument {option}: The text must have at most"):
            run("propose", file, "--name", "Stricter", option, text, "--by", "ada")
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        run("propose", file, "--name", "Stricter", "--by", "nobody")
    staff("victor", "viewer")
    refusal = r"victor .staff:[0-9]+. does not hold .*manage_policies; these roles do: risk manager"
    with pytest.raises(CommandError, match=refusal):
        run("propose", file, "--name", "Stricter", "--by", "victor")
