"""Counts with a limit: a plus means that more exist, not just that the limit was reached."""

import re

import pytest

from readmodels.admin.review import mentions
from readmodels.queries import deadlines
from tests.support.backoffice import browser, text
from tests.support.notes import add
from tests.support.reviewing import QUEUE, paid, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOME = "/admin/"
ANALYTICS = "/admin/analytics/"


@pytest.mark.parametrize(("number", "shown"), [(2, "2"), (3, "2+")])
def test_counts_have_a_plus_only_if_there_are_more(
    number: int, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (
        "dashboard._COUNTED_TO",
        "review.queue.COUNTED_TO",
        "review.mentions._COUNTED_TO",
        "review.polling._MOST_NEW",
    ):
        monkeypatch.setattr(f"readmodels.admin.{limit}", 2)
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    page = ann.get(QUEUE).content.decode()
    poll = re.search(r'data-poll="([^"]+)"', page)
    assert poll is not None

    waiting(number)
    payment = paid()
    for _ in range(number):
        add(ben, payment, "@ann")

    answer = ann.get(poll[1].replace("&amp;", "&")).json()
    assert (answer["counts"][""], answer["news"]) == (shown, f"{shown} new payments.")
    home = ann.get(HOME)
    assert re.search(rf"data-waiting=[^>]*>{re.escape(shown)}<", home.content.decode())
    assert mentions.badge(home.wsgi_request) == shown


@pytest.mark.parametrize(("number", "is_cut"), [(2, False), (3, True)])
def test_sums_of_the_queue_say_whether_they_leave_out_payments(
    number: int, monkeypatch: pytest.MonkeyPatch, *, is_cut: bool
) -> None:
    """A currency with few payments is affected too: payments in others may use up the limit."""
    monkeypatch.setattr(deadlines, "MOST", 2)
    ann = browser("analyst", "ann")
    waiting(currency="EUR")
    waiting(number - 1)

    shown = text(ann.get(f"{ANALYTICS}?currency=EUR"))

    assert ("Only the 2 most urgent payments are counted." in shown) == is_cut
    assert ann.get(HOME).context["waiting_count"] == ("2+" if is_cut else "2")
