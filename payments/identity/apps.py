"""The Django app "identity"."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "payments.identity"
    label = "identity"
    verbose_name = "How staff sign in"

    def ready(self) -> None:
        from payments.identity import signing_in

        signing_in.connect()
