"""Passkeys (WebAuthn) as a second factor, with django-otp-webauthn."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django_otp_webauthn.helpers import WebAuthnHelper

from payments.identity import records, sessions
from payments.identity.models import Change


class Helper(WebAuthnHelper):  # type: ignore[misc]  # the library has no types
    """Bind passkeys to the host of the request, which Django has compared with ALLOWED_HOSTS."""

    def get_relying_party_domain(self) -> str:
        host: str = self.request.get_host()
        return host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host

    def get_allowed_origins(self) -> list[str]:
        return [f"{self.request.scheme}://{self.request.get_host()}"]

    def register_complete(self, user: Any, state: dict[str, Any], data: dict[str, Any]) -> Any:
        with transaction.atomic():
            sessions.require_open(self.request)
            passkey = super().register_complete(user, state, data)
            passkey.name = "Passkey"
            passkey.save(update_fields=["name"])
            records.own(Change.PASSKEY_ADDED, user.pk, at=timezone.now())
        return passkey
