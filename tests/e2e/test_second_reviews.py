"""The pages of second reviews in a browser. test_desk_story.py covers the keyboard."""

from typing import Any
from uuid import UUID

import pytest

from readmodels.models import SecondReview
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk, check_accessible
from tests.support.api import project
from tests.support.routing import staff
from tests.support.second_reviews import approve, conclude

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.mark.parametrize("desk", ["light", "dark"], indirect=True)
def test_pages_of_second_reviews_are_accessible(desk: Desk, settings: Any) -> None:
    settings.SECOND_REVIEW_PERCENT = 100
    approve(desk.payment, staff("ben"))
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    desk.log_in()
    review = SecondReview.objects.get().pk

    check_accessible(desk, ["/admin/second-reviews/", _page(review, "conclude")], rules)
    conclude(review, staff("cleo", "senior reviewer"))
    project()
    paths = [_page(review, "change"), "/admin/readmodels/secondreview/", "/admin/analytics/"]
    check_accessible(desk, paths, rules)


def _page(review: UUID, name: str) -> str:
    return f"/admin/readmodels/secondreview/{review}/{name}/"
