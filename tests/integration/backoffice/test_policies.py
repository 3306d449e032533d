"""Risk policies: the log, the command, the screens, and the scoring of payments."""

import re
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone
from msgspec.structs import replace

from payments import actors
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
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.oracle import check_read_models
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Sends every payment over ten cents to review.
STRICT: Final = RiskPolicy.of(
    replace(
        DEFAULT_POLICY.document,
        rules=tuple(replace(rule, points=100) for rule in DEFAULT_POLICY.document.rules),
        review_over={"USD": 10, "EUR": 10},
    )
)
# Has no limit in euros.
DOLLARS: Final = RiskPolicy.of(replace(DEFAULT_POLICY.document, review_over={"USD": 10}))


def staff(name: str, role: str = "risk manager", **fields: Any) -> str:
    user = get_user_model().objects.create(username=name, is_staff=True, **fields)
    user.groups.add(Group.objects.get(name=role))
    return actors.staff(user.pk)


@pytest.fixture
def ada() -> str:
    return staff("ada")


@pytest.fixture
def grace() -> str:
    return staff("grace")


def propose(policy: RiskPolicy, by: str) -> None:
    policies.handle(ProposePolicy(policy=policy, at=timezone.now(), by=by))


def activate(policy: RiskPolicy, ada: str, grace: str) -> None:
    propose(policy, ada)
    policies.handle(ApprovePolicy(policy_id=policy.policy_id, at=timezone.now(), by=grace))


def retire(policy: RiskPolicy, by: str) -> None:
    policies.handle(RetirePolicy(policy_id=policy.policy_id, at=timezone.now(), by=by))


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
    policies._known.clear()  # as in a process that has not loaded it
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
    assert statuses == ["active", "retired"]


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
    assert f"manage.py policy approve {short} --by USER" in run("propose", file, "--by", "ada")
    with pytest.raises(CommandError, match="ask a second person"):
        run("approve", short, "--by", "ada")
    assert run("approve", short, "--by", "grace") == f"{short} is active from now on.\n"
    assert parsing.read(run("show")) == STRICT
    with pytest.raises(CommandError, match="Only another policy ends it"):
        run("retire", short, "--by", "grace")
    file.write_text(run("show", "built-in"))
    assert parsing.read(file.read_text()) == DEFAULT_POLICY
    built_in = DEFAULT_POLICY.policy_id[:12]
    run("propose", file, "--by", "ada")
    assert run("retire", built_in, "--by", "ada") == (
        f"{built_in} is withdrawn. The active policy is {short}.\n"
    )
    run("propose", file, "--by", "ada")
    run("approve", built_in, "--by", "grace")
    listed = re.sub(r"\s+", " ", run("list"))
    assert re.search(rf"{short} retired 5 .* ada .* grace .* grace", listed)


def test_policy_command_reports_each_fault_on_one_line(ada: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(parsing.write(STRICT).replace('"points": 100', '"points": 1000'))
    with pytest.raises(CommandError) as refused:
        run("propose", file, "--by", "ada")
    lines = str(refused.value).splitlines()
    assert len(lines) == 5
    assert lines[0] == f"{file}: rule 1 (customer_blocked), points: It must be 0 to 100."
    for arguments, message in (
        (("propose", tmp_path / "none.json", "--by", "ada"), "cannot be read: No such file"),
        (("propose", file, "--by", "nobody"), "points: It must be"),
        (("approve", "feed", "--by", "ada"), "No policy begins with 'feed'"),
        (("show", "feed"), "No policy begins with 'feed'"),
    ):
        with pytest.raises(CommandError, match=message):
            run(*arguments)
    file.write_text(parsing.write(STRICT))
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        run("propose", file, "--by", "nobody")
    staff("victor", "viewer")
    refusal = r"victor .staff:[0-9]+. does not hold .*manage_policies; these roles do: risk manager"
    with pytest.raises(CommandError, match=refusal):
        run("propose", file, "--by", "victor")


def test_policy_page_lets_a_second_person_approve(ada: str) -> None:
    propose(STRICT, ada)
    page = f"/admin/policies/{STRICT.policy_id}/"
    user = get_user_model().objects.get(username="ada")
    proposer = Browser()
    proposer.force_login(user)
    own = text(proposer.get(page))
    assert "This policy waits for approval by another risk manager." in own
    assert "Approve and activate" not in own
    # The page has no button, and the domain refuses the command, too.
    assert "cannot approve a policy that you proposed" in text(
        proposer.post(f"{page}approve/", follow=True)
    )
    assert policies.register().active is None
    second = browser("risk manager")
    shown = text(second.get(page))
    assert "This policy waits for your approval." in shown
    assert "- &quot;high_from&quot;" not in shown
    assert "+ &quot;points&quot;: 100" in shown
    done = text(second.post(f"{page}approve/", follow=True))
    assert "Policy activated. It scores all new payments." in done
    assert policies.register().active == STRICT.policy_id
    listed = text(second.get("/admin/policies/"))
    assert f"{STRICT.policy_id[:12]} Active 5 rules" in listed
    assert "by ada" in listed
    assert "Withdraw" not in shown.partition("Approve and activate")[0]
    active = text(second.get(page))
    assert "Withdraw" not in active
    refused = text(second.post(f"{page}retire/", follow=True))
    assert "Only another policy ends it" in refused
    assert policies.register().active == STRICT.policy_id
    built_in = second.get(f"/admin/policies/{DEFAULT_POLICY.policy_id}/")
    (again,) = re.findall(r'href="(/admin/policies/propose/\?[^"]+)"', built_in.content.decode())
    assert parsing.read(second.get(again).context["document"]) == DEFAULT_POLICY
    assert second.get("/admin/policies/propose/?policy=none").status_code == 404
    propose(DOLLARS, ada)
    button = f"/admin/policies/{DOLLARS.policy_id}/retire/"
    assert "Proposal withdrawn." in text(second.post(button, follow=True))
    project()
    log = second.get("/admin/readmodels/eventindex/")
    assert text(log).count("Risk policies") >= 3


PROPOSE: Final = "/admin/policies/propose/"


def typed(logged_in: Browser, document: str, button: str) -> Any:
    return logged_in.post(PROPOSE, {"document": document, button: ""})


def test_risk_manager_proposes_a_policy_in_the_back_office(ada: str, grace: str) -> None:
    activate(DOLLARS, ada, grace)
    logged_in = browser("risk manager", "mia")
    assert "Propose a policy" in text(logged_in.get("/admin/policies/"))
    begun = logged_in.get(PROPOSE)
    assert parsing.read(begun.context["document"]) == DOLLARS
    document = parsing.write(STRICT)
    before = Event.objects.count()
    shown = text(typed(logged_in, document, "preview"))
    assert "+ &quot;points&quot;: 100" in shown
    same = typed(logged_in, parsing.write(DOLLARS), "preview")
    assert "Nothing changes: this is the active policy." in text(same)
    assert Event.objects.count() == before
    done = typed(logged_in, document.replace("\n", "\r\n"), "propose")
    assert (done.status_code, done["Location"]) == (302, f"/admin/policies/{STRICT.policy_id}/")
    proposed = Event.objects.latest("position")
    assert proposed.metadata["correlation_id"] == done["X-Request-ID"]
    assert "This policy waits for approval by another risk manager." in text(
        logged_in.get(done["Location"])
    )
    (event,) = Event.objects.order_by("position")[before:]
    mia = get_user_model().objects.get(username="mia").pk
    assert (event.event_type, event.metadata["actor"]) == ("policy.proposed", f"staff:{mia}")
    again = text(typed(logged_in, document, "propose"))
    assert "has been proposed since" in again
    assert Event.objects.count() == before + 1


@pytest.mark.parametrize("button", ["preview", "propose"])
def test_proposal_page_shows_faults_and_keeps_the_text(button: str) -> None:
    logged_in = browser("risk manager")
    document = parsing.write(STRICT).replace('"points": 100', '"points": 1000')
    answer = typed(logged_in, document, button)
    html = answer.content.decode()
    assert answer.context["document"] == document
    assert "&quot;points&quot;: 1000" in html
    problems = re.search(r'<ul id="problems".*?</ul>', html, re.DOTALL)
    assert problems
    assert problems[0].count("<li>") == 5
    assert "rule 1 (customer_blocked), points: It must be 0 to 100." in problems[0]
    for odd, complaint in (("", "It is not JSON"), ("<b>", "It is not JSON"), ("[]", "The policy")):
        refused = typed(logged_in, odd, button)
        assert complaint in text(refused)
        assert refused.context["document"] == odd
    assert Event.objects.count() == 0


def test_only_risk_managers_propose_in_the_back_office() -> None:
    document = parsing.write(STRICT)
    for role in ("viewer", "analyst", "senior reviewer", "auditor"):
        logged_in = browser(role, role)
        assert logged_in.get(PROPOSE).status_code == 403
        assert typed(logged_in, document, "propose").status_code == 403
    assert "Propose a policy" not in text(logged_in.get("/admin/policies/"))
    assert Browser().get(PROPOSE).status_code == 302
    careful = Browser(enforce_csrf_checks=True)
    careful.force_login(get_user_model().objects.get(pk=int(staff("ada").split(":")[1])))
    assert typed(careful, document, "propose").status_code == 403
    assert Event.objects.count() == 0


def test_policy_buttons_require_the_role_risk_manager(ada: str) -> None:
    propose(STRICT, ada)
    page = f"/admin/policies/{STRICT.policy_id}/"
    assert Browser().get(page).status_code == 302
    auditor = browser("auditor")
    assert "Approve and activate" not in text(auditor.get(page))
    for button in ("approve", "retire"):
        assert auditor.post(f"{page}{button}/").status_code == 403
        assert auditor.get(f"{page}{button}/").status_code == 405
    assert auditor.get("/admin/policies/none/").status_code == 404
    assert Event.objects.count() == 1
