"""The form in which risk managers write a policy, without JavaScript."""

import re
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.utils import timezone
from msgspec.structs import replace

from payments.application import lists, policies
from payments.domain.list_items import Item, ListName
from payments.domain.risk import parsing
from payments.domain.risk.conditions import PaymentsOver, Window
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy, Rule
from payments.events.models import Event
from readmodels.admin.policies import proposal
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.policies import DOLLARS, activate, propose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PROPOSE: Final = "/admin/policies/propose/"
LOWER: Final = replace(
    DEFAULT_POLICY.document,
    rules=(
        *DEFAULT_POLICY.document.rules,
        Rule(reason="busy_day", points=30, when=(PaymentsOver(Window.DAY, 50),)),
    ),
    review_over={**DEFAULT_POLICY.document.review_over, "USD": 8_000_00},
)


@pytest.fixture
def mia() -> Browser:
    return browser("risk manager", "mia")


def press(mia: Browser, page: Any, button: str, value: str = "", **typed: str) -> Any:
    """Type into the fields of the page, and press a button."""
    names = {name.replace("__", "-"): each for name, each in typed.items()}
    fields = form_fields(page)
    assert set(names) <= set(fields)
    return mia.post(PROPOSE, fields | names | {button: value}, follow=True)


def error_at(page: Any, field: str) -> str:
    """Return the error at the field. The field must refer to the error for screen readers."""
    html = page.content.decode()
    found = re.search(rf'<p id="{field}_error"[^>]*>(.*?)</p>', html, re.DOTALL)
    assert found, f"{field} has no error"
    return re.sub("<[^>]+>", "", found[1])


def test_limit_is_lowered_and_rule_added_in_the_form(mia: Browser) -> None:
    page = mia.get(PROPOSE)
    page = press(mia, page, "change", "add rules", review_over__3__amount="8000")
    page = press(
        mia,
        page,
        "change",
        "add rules-5-when",
        rules__5__reason="Busy day",
        rules__5__points="30",
        rules__5__adding="payments_over",
    )
    page = press(
        mia, page, "preview", rules__5__when__0__window="24h", rules__5__when__0__count="50"
    )

    shown = text(page)
    assert (
        "New rule busy_day 30 points if the customer has more than 50 payments within 24 hours"
        in shown
    )
    assert "High risk held for review (USD) over $10,000.00 → over $8,000.00" in shown
    assert Event.objects.count() == 0

    page = press(mia, page, "propose", name="Busy days", comment="After May.\r\nSee report.")

    assert "Proposed. A second risk manager must approve it." in text(page)
    (found,) = policies.register().policies.values()
    assert found.policy == RiskPolicy.of(LOWER)
    assert (found.name, found.comment) == ("Busy days", "After May.\nSee report.")


def test_faults_stand_at_their_fields_and_nothing_typed_is_lost(mia: Browser) -> None:
    typed = {
        "name": "4111 1111 1111 1111",
        "review_hours": "seven days",
        "review_over__0__amount": "ten <b>",
        "rules__1__points": "?",
        "rules__2__when__0__count": "",
    }
    page = press(mia, mia.get(PROPOSE), "propose", **typed)

    sent = form_fields(page)
    names = {name.replace("__", "-"): value for name, value in typed.items()}
    assert {name: sent[name] for name in names} == names
    assert error_at(page, "review_hours") == "&#x27;seven days&#x27; is not a whole number."
    assert "&lt;b&gt;" in error_at(page, "review_over-0-amount")
    assert error_at(page, "rules-2-when-0-count") == "Enter a whole number."
    html = page.content.decode()
    assert re.search('<input[^>]* id="review_hours"[^>]* aria-invalid="true"', html)
    assert re.search('<details id="rules-1"[^>]* open', html)
    assert not re.search('<details id="rules-0"[^>]* open', html)

    typed = {"review_hours": "168", "review_over__0__amount": "10000.00", "rules__1__points": "80"}
    page = press(mia, page, "propose", **typed, rules__2__when__0__count="20")

    assert "card number" in error_at(page, "name")
    assert Event.objects.count() == 0


def test_propose_refuses_what_the_register_refuses(mia: Browser) -> None:
    page = press(mia, mia.get(PROPOSE), "propose", name="The same")

    assert "This is the built-in policy, which is active already." in text(page)
    assert form_fields(page)["name"] == "The same"


def test_parts_are_removed_without_losing_the_rest(mia: Browser) -> None:
    page = press(mia, mia.get(PROPOSE), "change", "remove rules-0", rules__1__reason="renamed")
    page = press(mia, page, "change", "remove review_over-0")
    page = press(mia, page, "change", "remove rules-0-when-0")

    sent = form_fields(page)
    assert sent["rules-0-reason"] == "renamed"
    assert sent["rules-0-when-0-type"] == "amount_over"
    assert [value for name, value in sent.items() if re.match("review_over.*currency", name)] == [
        "GBP",
        "JPY",
        "USD",
    ]


@pytest.mark.parametrize(
    ("change", "focused"),
    [
        ("add rules", "rules-5-reason"),
        ("add review_over", "review_over-4-currency"),
        ("remove review_over-0", "add-review_over"),
        ("remove rules-1-when-0", "add-rules-1-when"),
        ("add rules-1-when", "rules-1-adding"),
    ],
)
def test_changed_part_gets_the_focus(mia: Browser, change: str, focused: str) -> None:
    page = press(mia, mia.get(PROPOSE), "change", change)

    html = page.content.decode()
    assert re.findall(r'id="([\w-]+)"[^>]*\sautofocus', html) == [focused]


@pytest.mark.parametrize(
    "change",
    [
        "",
        "add",
        "remove rules-99",
        "add rules-x",
        "remove 1-2",
        "x y",
        "add rules-0-when-0-methods",
    ],
)
def test_unknown_change_leaves_the_form_as_it_is(mia: Browser, change: str) -> None:
    typed = form_fields(mia.get(PROPOSE)) | {"rules-0-when-0-type": "method_in"}
    before = mia.post(PROPOSE, typed | {"change": ""})

    after = press(mia, before, "change", change)

    assert after.status_code == 200
    assert form_fields(after) == form_fields(before)


def test_chosen_condition_is_added_by_preview(mia: Browser) -> None:
    page = press(mia, mia.get(PROPOSE), "preview", rules__0__adding="amount_over")

    assert form_fields(page)["rules-0-when-1-type"] == "amount_over"
    assert error_at(page, "rules-0-when-1-limits-0-amount").startswith("Enter an amount")


def test_condition_offers_the_lists_in_use(mia: Browser) -> None:
    at = timezone.now()
    author = lists.Author(by=staff("ada"), at=at, note="Fraud ring of May.")
    for name in ("watched", "archived"):
        lists.create(ListName(name), Item.CARD, author)
    lists.archive(ListName("archived"), author)

    page = press(mia, mia.get(PROPOSE), "change", "add rules-0-when", rules__0__adding="in_list")
    select = page.content.decode().partition('<select id="rules-0-when-1-list"')[2]
    options = re.findall('<option value="(.*?)"', select.partition("</select>")[0])
    refused = press(mia, page, "preview", rules__0__when__1__list="archived")
    shown = press(mia, refused, "preview", rules__0__when__1__list="watched")

    assert options == ["", "watched"]
    assert error_at(refused, "rules-0-when-1-list").startswith("No list named archived is in use.")
    assert form_fields(refused)["rules-0-when-1-list"] == "archived"
    assert "new condition the payment is on the list watched" in text(shown)


def test_form_and_json_convert_into_each_other(mia: Browser) -> None:
    document = parsing.write(RiskPolicy.of(LOWER))
    page = press(mia, mia.get(PROPOSE), "json", name="Kept", review_over__3__amount="8000")
    assert parsing.read(page.context["document"]).document.review_over == LOWER.review_over
    assert form_fields(page)["name"] == "Kept"

    page = press(mia, page, "form", document=document)
    assert form_fields(page)["rules-5-reason"] == "busy_day"
    assert form_fields(page)["name"] == "Kept"

    refused = press(mia, page, "json", review_hours="x")
    assert error_at(refused, "review_hours") == "&#x27;x&#x27; is not a whole number."
    broken = press(mia, press(mia, page, "json"), "form", document="{")
    assert "It is not JSON" in text(broken)
    assert form_fields(broken)["document"] == "{"


def test_proposing_again_starts_with_name_and_comment(mia: Browser) -> None:
    ada, grace = staff("ada"), staff("grace")
    activate(DOLLARS, ada, grace)
    propose(DEFAULT_POLICY, ada, name="Back", comment="Too strict.")

    sent = form_fields(mia.get(f"{PROPOSE}?policy={DEFAULT_POLICY.policy_id}"))

    assert (sent["name"], sent["comment"]) == ("Back", "Too strict.")


def test_policy_too_large_for_the_form_is_edited_as_json(
    mia: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal, "_MOST_PARTS", 10)

    page = mia.get(PROPOSE)

    assert "This policy is too large for the form." in text(page)
    assert parsing.read(page.context["document"]) == DEFAULT_POLICY


def test_json_needs_a_name_too(mia: Browser) -> None:
    page = press(mia, mia.get(PROPOSE), "json")

    refused = press(mia, page, "propose", document=parsing.write(DOLLARS), name=" ")

    assert "must not be empty" in error_at(refused, "name")
    assert Event.objects.count() == 0


def test_form_is_for_risk_managers_only() -> None:
    for role in ("viewer", "analyst", "senior reviewer", "auditor"):
        other = browser(role, role)
        assert other.get(PROPOSE).status_code == 403
        assert other.post(PROPOSE, {"change": "add rules"}).status_code == 403
    careful = Browser(enforce_csrf_checks=True)
    careful.force_login(get_user_model().objects.get(pk=int(staff("ada").split(":")[1])))
    assert careful.post(PROPOSE, {"change": "add rules"}).status_code == 403
