"""The pages on which risk managers propose, approve and withdraw policies."""

import re
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.utils import timezone

from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.domain.risk.register import ApprovePolicy
from payments.events.models import Event
from readmodels.admin.policies import draft as drafts
from readmodels.admin.policies.writing import policy_of
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.policies import DOLLARS, STRICT, activate, propose, retire, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def ada() -> str:
    return staff("ada")


@pytest.fixture
def grace() -> str:
    return staff("grace")


def test_pages_show_name_comment_and_how_policy_ended(ada: str, grace: str) -> None:
    propose(STRICT, ada, name="Stricter <b>", comment="First line.\nSecond line.")
    policies.handle(ApprovePolicy(policy_id=STRICT.policy_id, at=timezone.now(), by=grace))
    activate(DOLLARS, ada, grace)
    propose(DEFAULT_POLICY, ada, name="Back to built-in")
    retire(DEFAULT_POLICY, grace)
    viewer = browser("viewer", "victor")

    listed = text(viewer.get("/admin/policies/"))
    replaced = text(viewer.get(f"/admin/policies/{STRICT.policy_id}/"))
    withdrawn = text(viewer.get(f"/admin/policies/{DEFAULT_POLICY.policy_id}/"))

    assert "Stricter &lt;b&gt; Replaced 5 rules" in listed
    assert "Back to built-in Withdrawn 5 rules" in listed
    assert "First line. Second line." in replaced
    assert f"Replaced by {DOLLARS.policy_id[:12]}" in replaced
    assert re.search("Withdrawn [0-9: -]+ UTC by grace", withdrawn)
    assert "Replaced by" not in withdrawn


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
    asked = second.get(f"{page}approve/")
    assert "Proposed" in text(asked)
    assert "Rule many_payments_1h, points 40 → 100" in text(asked)
    assert policies.register().active is None
    assert "Rule many_payments_1h, points 40 → 100" in shown
    assert "High risk held for review (USD) over $10,000.00 → over $0.10" in shown
    assert "Rule customer_blocked, points" not in shown
    done = text(second.post(f"{page}approve/", form_fields(asked), follow=True))
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
    assert policy_of(drafts.read(form_fields(second.get(again)))) == DEFAULT_POLICY
    assert second.get("/admin/policies/propose/?policy=none").status_code == 404
    propose(DOLLARS, ada)
    button = f"/admin/policies/{DOLLARS.policy_id}/retire/"
    assert "Proposal withdrawn." in text(second.post(button, follow=True))
    project()
    log = second.get("/admin/readmodels/eventindex/")
    assert text(log).count("Risk policies") >= 3


def test_approval_asks_again_if_another_policy_became_active(ada: str, grace: str) -> None:
    propose(STRICT, ada)
    mia = browser("risk manager", "mia")
    page = f"/admin/policies/{STRICT.policy_id}/approve/"
    seen = form_fields(mia.get(page))
    activate(DOLLARS, ada, grace)

    asked = mia.post(page, seen, follow=True)
    unseen = mia.post(page, follow=True)

    for answer in (asked, unseen):
        assert "Another policy became active in the meantime." in text(answer)
        assert policies.register().active == DOLLARS.policy_id
    assert "Rule many_payments_1h, points 40 → 100" in text(asked)
    assert "Policy activated." in text(mia.post(page, form_fields(asked), follow=True))
    again = text(mia.get(page, follow=True))
    assert f"Policy {STRICT.policy_id[:12]} is active already: mia approved it" in again
    assert mia.get("/admin/policies/none/approve/").status_code == 404


PROPOSE: Final = "/admin/policies/propose/"


def typed(logged_in: Browser, document: str, button: str) -> Any:
    return logged_in.post(PROPOSE, {"document": document, "name": "Stricter", button: ""})


def test_risk_manager_proposes_a_policy_in_the_back_office(ada: str, grace: str) -> None:
    activate(DOLLARS, ada, grace)
    logged_in = browser("risk manager", "mia")
    assert "Propose a policy" in text(logged_in.get("/admin/policies/"))
    begun = logged_in.post(PROPOSE, form_fields(logged_in.get(PROPOSE)) | {"json": ""})
    assert parsing.read(begun.context["document"]) == DOLLARS
    document = parsing.write(STRICT)
    before = Event.objects.count()
    shown = text(typed(logged_in, document, "preview"))
    assert "Rule many_payments_1h, points 40 → 100" in shown
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
    for odd, complaint in (
        ("", "It is not JSON"),
        ("<b>", "It is not JSON"),
        ("[]", "The policy"),
        (r'{"\ud800": 1}', "It holds half of a character"),
    ):
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
    assert auditor.get(f"{page}approve/").status_code == 403
    assert auditor.get(f"{page}retire/").status_code == 405
    for button in ("approve", "retire"):
        assert auditor.post(f"{page}{button}/").status_code == 403
    assert auditor.get("/admin/policies/none/").status_code == 404
    assert Event.objects.count() == 1
