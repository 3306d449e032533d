"""Your account: the second factors of the signed-in person."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from payments.identity import factors
from payments.identity.factors import LastFactor


def page(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    context = {
        "title": "Your account",
        "factors": factors.of(user),
        "is_required": factors.is_required(user),
        "demo": settings.EMBEDDED,
        "codes_in_all": factors.CODES,
    }
    return TemplateResponse(
        request,
        "backoffice/account/account.html",
        admin.site.each_context(request) | context,
    )


@require_POST
def remove_app(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    try:
        factors.remove_app(user, at=timezone.now())
    except LastFactor as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The authenticator app is removed.")
    return HttpResponseRedirect(reverse("account"))


@require_POST
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    user: Any = request.user
    try:
        factors.remove_passkey(user, pk, at=timezone.now())
    except LastFactor as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The passkey is removed.")
    return HttpResponseRedirect(reverse("account"))
