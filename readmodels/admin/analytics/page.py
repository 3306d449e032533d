"""The analytics page."""

from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from payments import permissions
from readmodels.admin.analytics import question, second_reviews, tables
from readmodels.admin.base import requests
from readmodels.exports.recording import LISTS
from readmodels.projections.review_day import WAITED, WORKED
from readmodels.queries import analytics as sums, deadlines
from readmodels.queries.analytics import Period
from readmodels.queries.bounded import TooBroad, bounded

SEE = "readmodels.view_dailystatistics"
SEE_REVIEWERS = "readmodels.view_reviewday"


@require_GET
def analytics(request: HttpRequest) -> HttpResponse:
    """Show the figures for a period. Other reviewers' figures need a permission."""
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    asked = question.read(request.GET, today=timezone.now().date())
    context = {**admin.site.each_context(request), "title": "Analytics", "asked": asked}
    if permissions.holds(request.user, LISTS):
        query = urlencode({name: asked.typed[name] for name in ("from", "to") if asked.typed[name]})
        days = urlencode({"days": asked.days}) if asked.days else ""
        context["export_url"] = f"{reverse('export', args=['decisions'])}?{query or days}"
    if asked.period is not None:
        try:
            with bounded():
                context |= _figures(request, asked.period)
        except TooBroad as error:
            context |= {"explanation": str(error)}
            return TemplateResponse(request, "backoffice/too_broad.html", context, status=503)
    return TemplateResponse(request, "backoffice/analytics.html", context)


def _figures(request: HttpRequest, period: Period) -> dict[str, object]:
    sees_all, actor = request.user.has_perm(SEE_REVIEWERS), requests.actor(request)
    by_currency = sums.reviews_by("currency", period)
    people = sums.reviews_by("reviewer", period, reviewer=None if sees_all else actor)
    now = timezone.now()
    everywhere = deadlines.waiting(now)
    waiting = [each for each in everywhere if period.currency in {None, each.currency}]
    reviews = sums.total(by_currency)
    second = (
        second_reviews.everyone(period, actor, now)
        if sees_all
        else second_reviews.own(period, actor)
    )
    return second | {
        "period": period,
        "people_title": "Decisions by reviewer" if sees_all else "Your decisions",
        "currencies": tables.by_currency(sums.payments_by("currency", period), by_currency),
        "outcomes": tables.outcomes(period, sums.payments_by("day", period)),
        "times": tables.times(reviews) if reviews else [],
        "waited": tables.distribution(reviews, WAITED, "From flagging") if reviews else None,
        "worked": tables.distribution(reviews, WORKED, "From claim") if reviews else None,
        "reviewers": tables.by_reviewer(people),
        "overturned": tables.overturned(by_currency),
        "open_currencies": tables.open_by_currency(waiting),
        "open_ages": tables.open_by_age(waiting),
        "is_cut": deadlines.is_cut(everywhere),
        "most": deadlines.MOST,
    }
