"""Who sees second reviews. People never see those of their own decisions, even in the event log."""

from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet
from django.http import Http404

from payments import permissions
from payments.aggregates import SECOND_REVIEW_AGGREGATE
from payments.domain.second_review import SecondReview, may_conclude
from payments.events import replay
from readmodels import models

SEE = "readmodels.view_secondreview"


def visible(actor: str) -> QuerySet[models.SecondReview]:
    """Return the second reviews of decisions that the actor took no part in."""
    own = Q(reviewer=actor) | Q(first_reviewer=actor)
    return models.SecondReview.objects.exclude(own)


def load(review_id: UUID, actor: str) -> SecondReview:
    """Return a second review that the actor may see, from the log. Raises Http404."""
    review = replay.load(SECOND_REVIEW_AGGREGATE, review_id).state
    if review is None or not may_conclude(actor, review):
        raise Http404(f"There is no second review {review_id}.")
    return review


def sees_events(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether the event log shows the events of second reviews to the user.

    It hides them from reviewers, because a request's event would reveal which decision was chosen.
    """
    is_reviewer = permissions.holds(user, permissions.REVIEW)
    return permissions.holds(user, SEE) and not is_reviewer
