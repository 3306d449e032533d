"""The pages for the second factor. They have no menu, because all other pages are closed."""

from typing import Any, Final
from urllib.parse import urlencode

import segno
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.identity import factors, signing_in

NEXT: Final = "next"
# The session key for the secret of an authenticator app that is not added yet.
NEW_SECRET: Final = "new_app_secret"  # noqa: S105 - the name of the key
_LONGEST: Final = 40


class CodeForm(forms.Form):
    """A code from an authenticator app, or a recovery code."""

    code = forms.CharField(
        max_length=_LONGEST,
        error_messages={"required": "Enter a code."},
        widget=UnfoldAdminTextInputWidget(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(
        request,
        f"backoffice/account/{template}.html",
        admin.site.each_context(request) | context,
        status=status,
    )


def prove(
    request: HttpRequest, form: forms.Form, *, next_page: str, kept: str = "", status: int = 200
) -> HttpResponse:
    """Ask the person to prove a second factor, or to set one up if they have none."""
    user: Any = request.user
    found = factors.of(user)
    if not found.is_enrolled:
        return set_up(request, CodeForm(), next_page=next_page, kept=kept)
    form.fields["code"].label = "Code of your app" if found.app else "Recovery code"
    form.fields["code"].help_text = (
        "Six digits. A recovery code works too, once." if found.app else "Each works once."
    )
    return page(
        request,
        "second_factor",
        status=status,
        title="Confirm your identity",
        action=_address("second_factor", next_page),
        form=form,
        kept=kept,
        has_passkey=bool(found.passkeys),
    )


def set_up(
    request: HttpRequest, form: forms.Form, *, next_page: str, kept: str = ""
) -> HttpResponse:
    user: Any = request.user
    secret = request.session.setdefault(NEW_SECRET, factors.new_secret())
    url: str = TOTPDevice(user=user, key=secret).config_url
    found = factors.of(user)
    form.fields["code"].label = "Code that the app shows"
    return page(
        request,
        "set_up",
        title="Add a passkey" if found.app else "Set up your second factor",
        passkey_label="Add a passkey" if found.app else "Add a passkey instead",
        action=_address("second_factor_set_up", next_page),
        form=form,
        kept=kept,
        is_required=factors.is_required(user),
        is_enrolled=found.is_enrolled,
        has_app=found.app is not None,
        qr=_qr(url),
        secret=_grouped(url.partition("secret=")[2].partition("&")[0]),
    )


def recovery_codes(request: HttpRequest, *, next_page: str, kept: str = "") -> HttpResponse:
    """Make new recovery codes and show them. No later page shows them."""
    return page(
        request,
        "codes",
        title="Recovery codes",
        codes=signing_in.create_codes(request, at=timezone.now()),
        action=_address("second_factor", next_page),
        kept=kept,
    )


def _address(name: str, next_page: str) -> str:
    return f"{reverse(name)}?{urlencode({NEXT: next_page})}"


def _qr(url: str) -> SafeString:
    """Return the QR code as an SVG element, which needs neither a script nor another request."""
    code = segno.make(url, error="m")
    drawn = code.svg_inline(scale=4, border=3, light="#fff", title="QR code")
    return mark_safe(drawn)  # noqa: S308 - it has numbers only


def _grouped(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
