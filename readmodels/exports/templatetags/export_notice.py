"""The notice in the page header for a person who waits for a file, or has one."""

from typing import Final

from django import template
from django.db.models import Count, Q, Sum
from django.http import HttpRequest

from payments import actors
from readmodels.exports.models import UNFINISHED, Export

register = template.Library()

# A session key, set once a person has asked for a background file. Without it, no query is made.
HAS_FILES: Final = "has_exports"


@register.simple_tag
def export_notice(request: HttpRequest) -> str:
    """Return the progress of the person's exports in the background, empty if there are none."""
    if not getattr(request, "session", {}).get(HAS_FILES):
        return ""
    own = Export.objects.filter(
        requested_by=actors.staff(int(request.user.pk or 0)), in_background=True
    )
    found = own.aggregate(
        unfinished=Count("pk", filter=Q(state__in=UNFINISHED)),
        rows=Sum("rows", filter=Q(state__in=UNFINISHED)),
        ready=Count("pk", filter=Q(expires_at__isnull=False)),
    )
    if found["unfinished"]:
        return f"Export: {found['rows'] or 0:,} rows so far"
    return f"Exports: {found['ready']} ready" if found["ready"] else "Exports"
