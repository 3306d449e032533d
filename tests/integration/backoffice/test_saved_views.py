"""Saved views: validation, sharing, order, limits, and filters that no longer exist."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.test import Client as Browser

from readmodels.admin.saved_views import storing
from readmodels.models import PaymentSummary, SavedView, StartView
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.reviewing import NEXT, QUEUE, next_key, payment_page, rows, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SAVE = "/admin/views/queue/save/"
OVERVIEW = "/admin/views/queue/"
PAYMENTS = "/admin/readmodels/paymentsummary/"


def save(person: Browser, query: str, name: str = "Large", **given: str) -> Any:
    return person.post(f"{SAVE}?{query}", {"name": name, **given}, follow=True)


def saved() -> SavedView:
    return SavedView.objects.latest("pk")


def act(person: Browser, view: SavedView, action: str) -> Any:
    return person.post(f"/admin/view/{view.pk}/{action}/", follow=True)


def tabs(person: Browser, path: str = QUEUE) -> list[tuple[str, bool]]:
    """Return the name of each tab, and whether it is the current one."""
    return [(each.label, each.is_current) for each in person.get(path).context["tabs"]]


def named(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def test_view_is_saved_and_opened_as_a_tab() -> None:
    first, large = waiting(2)
    PaymentSummary.objects.filter(pk=large).update(amount=90_000_00)
    ann = browser("analyst", "ann")
    query = "amount_from=20000&currency=USD&sort=amount"

    assert "Save this view" in text(ann.get(f"{QUEUE}?{query}"))
    page = text(ann.get(f"{SAVE}?{query}"))
    answer = save(ann, query)

    assert "Amount in the chosen currency: from 20000" in page
    assert "Order: Highest amount" in page
    assert answer.redirect_chain == [(f"{QUEUE}?{query}", 302)]
    assert "Saved as “Large”." in text(answer)
    assert tabs(ann, f"{QUEUE}?{query}")[-1] == ("Large", True)
    opened = ann.get(f"{QUEUE}?view={saved().pk}", follow=True)
    assert opened.redirect_chain == [(f"{QUEUE}?{query}", 302)]
    assert [str(row.pk) for row in opened.context["cl"].result_list] == [large]
    assert "Save this view" not in text(opened)
    assert first in rows(ann, "")
    assert tabs(browser("analyst", "ben"))[-1] == ("Second approval", False)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=Moretti",
        "after=x&before=y&p=2&o=1&_popup=1&view=all",
        "amount__gte=1&customer_id=1&nonsense=1",
        "currency=%00",
        "currency=nonsense",
        "risk_band__exact=high%00",
        "client=' OR 1=1 --",
        "age=1d&amount_from=9",
        "currency=EUR&amount_from=" + "9" * 1_200,
    ],
)
def test_view_without_valid_filters_is_not_saved(query: str) -> None:
    waiting()
    ann = browser("analyst", "ann")

    answer = save(ann, query)

    assert "Only valid filters can be saved." in text(answer)
    assert not SavedView.objects.exists()


def test_view_keeps_known_filters_only() -> None:
    """The search text is dropped, because it may be a customer's name."""
    ann = browser("analyst", "ann")

    save(ann, "q=Moretti&risk_band__exact=high&nonsense=1&after=x&amount__gte=5&standing=")

    assert saved().query == "risk_band__exact=high"


@pytest.mark.parametrize("name", ["", " ", "x" * 41, "a\0b", "4111 1111 1111 1111"])
def test_invalid_name_of_a_view_is_refused(name: str) -> None:
    ann = browser("analyst", "ann")

    answer = save(ann, "risk_band__exact=high", name)

    assert answer.status_code == 200
    assert "Save this view" in text(answer)
    assert not SavedView.objects.exists()


def test_name_of_a_view_is_used_once_per_person() -> None:
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    save(ann, "risk_band__exact=high", "High")

    assert "There is a view named “high”." in text(save(ann, "risk_band__exact=low", "high"))
    save(ben, "risk_band__exact=high", "High")

    assert SavedView.objects.count() == 2


def test_number_of_views_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "MOST", 3)
    ann = browser("analyst", "ann")

    at_once(6, lambda number: save(ann, "risk_band__exact=high", f"View {number}").status_code)

    assert SavedView.objects.count() == 3
    assert "Delete one first." in text(save(ann, "risk_band__exact=high", "Another"))


def test_only_reviewers_share_views() -> None:
    ann, vic = browser("analyst", "ann"), browser("viewer", "vic")
    query = "risk_band__exact=high"

    save(vic, query, "Mine", shared="on")
    save(ann, query, "Ours", shared="on")

    assert 'name="shared"' not in vic.get(f"{SAVE}?{query}").content.decode()
    assert dict(SavedView.objects.values_list("name", "shared")) == {"Mine": False, "Ours": True}
    assert tabs(ann)[-1][0] == "Ours"
    assert [label for label, _ in tabs(vic)][-2:] == ["Mine", "Ours"]
    with pytest.raises(PermissionDenied):
        storing.save(named("vic"), "queue", name="x", query="y", shared=True)


def test_views_of_others_cannot_be_changed() -> None:
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    save(ann, "risk_band__exact=high", "Private")
    private = saved()
    save(ann, "risk_band__exact=low", "Shared", shared="on")
    shared = saved()

    for action in ("up", "down", "start", "delete"):
        assert act(ben, private, action).status_code == 404
    for action in ("up", "down", "delete"):
        assert act(ben, shared, action).status_code == 403
    for view in (private, shared):
        assert ben.post(f"/admin/view/{view.pk}/", {"name": "Taken"}).status_code == 404
    assert "deleted, or is not shared" in text(ben.get(f"{QUEUE}?view={private.pk}", follow=True))
    assert act(ben, shared, "start").status_code == 200
    assert act(ben, shared, "nonsense").status_code == 404
    assert Browser().post(f"/admin/view/{shared.pk}/delete/").status_code == 302
    assert sorted(SavedView.objects.values_list("name", flat=True)) == ["Private", "Shared"]


def test_shared_view_of_a_person_who_left_can_be_deleted_by_reviewers() -> None:
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    vic = browser("viewer", "vic")
    save(ann, "risk_band__exact=high", shared="on")
    get_user_model().objects.filter(username="ann").update(is_active=False)

    assert act(vic, saved(), "delete").status_code == 403
    assert "Deleted “Large”." in text(act(ben, saved(), "delete"))


def test_views_are_renamed_moved_and_deleted() -> None:
    ann = browser("analyst", "ann")
    for name in ("One", "Two", "Three"):
        save(ann, f"risk_band__exact=high&age=1d&standing=mine&name={name}", name)
    one, two, three = SavedView.objects.order_by("pk")

    act(ann, three, "up")
    act(ann, one, "up")
    act(ann, two, "down")
    ann.post(f"/admin/view/{one.pk}/", {"name": "First"})
    assert [label for label, _ in tabs(ann)[-3:]] == ["First", "Three", "Two"]

    act(ann, three, "delete")
    assert [label for label, _ in tabs(ann)[-2:]] == ["First", "Two"]
    page = text(ann.get(OVERVIEW))
    assert "Risk band: High" in page
    assert "Waiting time: Longer than 1 day" in page


def test_list_opens_with_the_chosen_view() -> None:
    (payment,) = waiting()
    ann = browser("analyst", "ann")
    save(ann, "risk_band__exact=low", "Low", start="on")
    low = f"{QUEUE}?risk_band__exact=low"

    opened = ann.get(QUEUE, follow=True)
    assert opened.redirect_chain == [(low, 302)]
    # Links to the whole list lead there, and not to the default view.
    page = opened.content.decode()
    assert len(re.findall(r'href="\?view=all"', page)) == 3  # the tab, the empty list, the filters
    assert rows(ann, "?view=all") == [payment]

    save(ann, "risk_band__exact=high", "High", start="on")
    assert StartView.objects.get().view.name == "High"
    act(ann, saved(), "unstart")
    assert rows(ann) == [payment]


def test_start_view_that_is_no_longer_shared_is_forgotten() -> None:
    waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    save(ann, "risk_band__exact=low", "Low", shared="on", start="on")
    act(ben, saved(), "start")
    assert ben.get(QUEUE).status_code == 302

    ann.post(f"/admin/view/{saved().pk}/", {"name": "Low", "start": "on"})

    assert ben.get(QUEUE).status_code == 200
    assert ann.get(QUEUE).status_code == 302


def test_view_that_was_deleted_in_the_meantime_is_refused() -> None:
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    save(ann, "risk_band__exact=low", "Low", shared="on")
    view = saved()
    SavedView.objects.all().delete()

    with pytest.raises(storing.ViewRefused, match="deleted"):
        storing.start_with(named("ben"), "queue", view)
    with pytest.raises(storing.ViewRefused, match="deleted"):
        storing.move(named("ann"), view, up=True)
    with pytest.raises(storing.ViewRefused, match="deleted"):
        storing.change(named("ann"), view, name="High", shared=True)
    assert act(ben, view, "start").status_code == 404
    assert not StartView.objects.exists()


def test_view_whose_name_was_erased_keeps_its_tab() -> None:
    ann = browser("analyst", "ann")
    save(ann, "risk_band__exact=low")
    SavedView.objects.update(name="")

    assert tabs(ann)[-1][0] == "View without a name"
    assert "View without a name" in text(ann.get(OVERVIEW))


def test_filter_that_no_longer_exists_is_named_and_dropped() -> None:
    (payment,) = waiting()
    ann = browser("analyst", "ann")
    save(ann, "risk_band__exact=high", "Old")
    SavedView.objects.update(query="gone=1&risk_band__exact=high&worn__exact=2")
    view = saved()

    answer = ann.get(f"{QUEUE}?view={view.pk}", follow=True)

    assert answer.redirect_chain == [(f"{QUEUE}?risk_band__exact=high", 302)]
    assert "which are left out: gone, worn__exact." in text(answer)
    assert [str(row.pk) for row in answer.context["cl"].result_list] == [payment]
    assert "Filters that the list no longer has: gone, worn__exact" in text(ann.get(OVERVIEW))


@pytest.mark.parametrize("query", ["gone=1", "", "%00=%00", "&" * 60, "a=b&" * 200])
def test_view_with_nothing_left_opens_the_whole_list(query: str) -> None:
    """A view may also have been damaged by hand. The list must not fail then."""
    (payment,) = waiting()
    ann = browser("analyst", "ann")
    view = SavedView.objects.create(
        owner=named("ann"), screen="queue", name="Odd", query=query, position=1
    )
    storing.start_with(named("ann"), "queue", view)

    opened = ann.get(QUEUE, follow=True)

    assert opened.redirect_chain == [(f"{QUEUE}?view=all", 302)]
    assert [str(row.pk) for row in opened.context["cl"].result_list] == [payment]
    assert ann.get(OVERVIEW).status_code == 200


@pytest.mark.parametrize("number", ["0", "9" * 40, "x", "%00", "-1", "²"])
def test_unknown_view_opens_the_whole_list(number: str) -> None:
    ann = browser("analyst", "ann")

    answer = ann.get(f"{QUEUE}?view={number}", follow=True)

    assert answer.redirect_chain == [(f"{QUEUE}?view=all", 302)]
    assert "This view was deleted, or is not shared with you." in text(answer)


def test_views_belong_to_their_list() -> None:
    waiting()
    ann = browser("analyst", "ann")
    query = urlencode({"risk_band__exact": "high", "status__exact": "pending_review"})
    save(ann, "risk_band__exact=high", "Of the queue")

    ann.post(f"/admin/views/payments/save/?{query}", {"name": "Of all"})

    assert saved().query == query
    assert tabs(ann)[-1][0] == "Of the queue"
    assert [label for label, _ in tabs(ann, PAYMENTS)] == ["All", "Of all"]
    assert ann.get("/admin/views/nonsense/").status_code == 404


def test_claim_next_in_a_saved_view_claims_its_first_payment() -> None:
    _, large = waiting(2)
    PaymentSummary.objects.filter(pk=large).update(amount=90_000_00)
    ann = browser("analyst", "ann")
    save(ann, "currency=USD&sort=amount")
    page = ann.get(f"{QUEUE}?view={saved().pk}", follow=True).content.decode()
    action = re.search(rf'action="({NEXT}[^"]*)"', page)
    assert action is not None

    answer = ann.post(action[1].replace("&amp;", "&"), next_key(ann))

    way_back = "?from=queue%3Fcurrency%3DUSD%26sort%3Damount"
    assert answer.headers["Location"] == payment_page(large) + way_back


def test_saved_views_need_the_permission_of_their_list() -> None:
    ann = browser("analyst", "ann")
    save(ann, "risk_band__exact=high", shared="on")
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))

    for path in (OVERVIEW, f"{SAVE}?risk_band__exact=high", f"/admin/view/{saved().pk}/"):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path).status_code in {404, 405}
    assert act(stranger, saved(), "start").status_code == 404
