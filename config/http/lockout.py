"""The lockout after failed sign-ins: its settings for django-axes, and its page."""

from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

FAILURES: Final = 5
PERIOD: Final = timedelta(minutes=15)
# A lockout applies only to the user name and the address of the failed sign-ins. An attacker at
# another address therefore cannot lock anyone out.
APPLIES_TO: Final = [["username", "ip_address"]]


def page(request: HttpRequest, _answer: HttpResponse, _who: dict[str, Any]) -> HttpResponse:
    """Return the page that shows for how long the user is locked out."""
    from django.contrib import admin  # the settings import this module before they are complete

    context = admin.site.each_context(request) | {
        "failures": FAILURES,
        "minutes": PERIOD.seconds // 60,
    }
    answer = render(request, "backoffice/locked_out.html", context, status=429)
    answer["Retry-After"] = str(PERIOD.seconds)
    return answer
