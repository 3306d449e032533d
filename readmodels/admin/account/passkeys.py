"""The views that a script calls to add a passkey or to prove one. They return JSON."""

import json
from typing import Any

from django.http import JsonResponse
from django.utils import timezone
from django_otp_webauthn import exceptions
from django_otp_webauthn.models import WebAuthnCredential
from django_otp_webauthn.views import (
    BeginCredentialAuthenticationView,
    BeginCredentialRegistrationView,
    CompleteCredentialAuthenticationView,
    CompleteCredentialRegistrationView,
)

from payments.identity import factors, signing_in


class _AddsRecently:
    """Refuse to add a passkey if the account has a factor that was not proved recently."""

    request: Any

    def check_can_register(self) -> None:
        if factors.is_enrolled(self.request.user) and not signing_in.is_proved(
            self.request, at=timezone.now()
        ):
            raise exceptions.NotVerified


class AddBeginView(_AddsRecently, BeginCredentialRegistrationView): ...


class AddView(_AddsRecently, CompleteCredentialRegistrationView):
    def post(self, *args: Any, **kwargs: Any) -> JsonResponse:
        answer: JsonResponse = super().post(*args, **kwargs)
        passkey = WebAuthnCredential.objects.get(pk=json.loads(answer.content)["id"])
        signing_in.prove(self.request, passkey, at=timezone.now())
        return answer


UseBeginView = BeginCredentialAuthenticationView


class UseView(CompleteCredentialAuthenticationView):
    def complete_auth(self, device: Any) -> None:
        signing_in.prove(self.request, device, at=timezone.now())
