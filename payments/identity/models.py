"""Tables for signing in: sessions, recovery codes, resets of second factors, and changes.

Authenticator apps and passkeys are devices of django-otp. Admin classes: readmodels/admin/account/.
"""

from importlib import import_module
from typing import Any, ClassVar, Final
from uuid import uuid4

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F, Q
from django_otp.models import Device, ThrottlingMixin

LONGEST_ACTOR: Final = 100
LONGEST_BROWSER: Final = 300


class Account(models.Model):
    """What a person must do at the next sign-in."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="account"
    )
    must_change_password = models.BooleanField(default=False, db_default=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)


class Session(AbstractBaseSession):
    """A session, with details by which its owner recognizes it.

    Sign-out, expiry and resets delete the row.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True, default="")
    browser = models.CharField(max_length=LONGEST_BROWSER, blank=True, default="")

    class Meta:
        default_permissions = ()

    @classmethod
    def get_session_store_class(cls) -> Any:
        # Not imported, because the store imports this model.
        return import_module(settings.SESSION_ENGINE).SessionStore


class RecoveryCodes(ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp has no types
    """The recovery codes of a person. Wrong codes are throttled for all codes together."""

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("user",), name="identity_recoverycodes_user"),
        )

    def get_throttle_factor(self) -> int:
        return 1


class RecoveryCode(models.Model):
    """The keyed hash of a recovery code that has not been used."""

    codes = models.ForeignKey(RecoveryCodes, on_delete=models.CASCADE, related_name="unused")
    digest = models.BinaryField(editable=False)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("codes", "digest"), name="identity_recoverycode_once"),
        )

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class Change(models.TextChoices):
    """A change to how a person signs in. The values are stored."""

    APP_ADDED = "app_added", "Authenticator app added"
    APP_REMOVED = "app_removed", "Authenticator app removed"
    PASSKEY_ADDED = "passkey_added", "Passkey added"
    PASSKEY_REMOVED = "passkey_removed", "Passkey removed"
    CODES_CREATED = "codes_created", "Recovery codes created"
    CODE_USED = "code_used", "Recovery code used"
    RESET_ASKED = "reset_asked", "Reset requested"
    RESET_APPROVED = "reset_approved", "Reset approved"
    RESET_DECLINED = "reset_declined", "Reset declined"
    RESET_BY_COMMAND = "reset_by_command", "Reset on the command line"


class SecurityRecord(models.Model):
    """A change to how a person signs in. The database refuses to change or delete a record."""

    at = models.DateTimeField()
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    change = models.CharField(max_length=30, choices=Change.choices)
    actor = models.CharField(max_length=LONGEST_ACTOR)

    class Meta:
        default_permissions = ("view",)
        verbose_name = "account change"
        indexes = (models.Index(fields=("staff", "-id"), name="identity_securityrecord_staff"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(change__in=Change.values), name="identity_securityrecord_change"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_change_display()} at {self.at:%Y-%m-%d %H:%M} UTC"


class Reason(models.TextChoices):
    """Why a second factor is reset."""

    LOST = "lost", "Device lost or broken"
    STOLEN = "stolen", "Device stolen"
    REPLACED = "replaced", "New device, the old one is gone"


class FactorReset(models.Model):
    """A request to reset a person's second factor, which another person approves or declines."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)

    class Meta:
        default_permissions = ("view",)
        permissions = (("reset_second_factor", "Can request and approve resets of second factors"),)
        verbose_name = "reset of a second factor"
        verbose_name_plural = "resets of second factors"
        indexes: ClassVar = (
            models.Index(fields=("-asked_at",), name="identity_factorreset_newest"),
        )
        constraints = (
            # A reset needs two other people: one requests it, another one approves it.
            models.CheckConstraint(
                condition=~Q(asked_by=F("staff")), name="identity_factorreset_asked_by_other"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None)
                | (~Q(decided_by=F("asked_by")) & ~Q(decided_by=F("staff")))
                | (Q(approved=False) & ~Q(decided_by=F("staff"))),
                name="identity_factorreset_approved_by_other",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None, decided_at=None, approved=None)
                | Q(decided_by__isnull=False, decided_at__isnull=False, approved__isnull=False),
                name="identity_factorreset_decided",
            ),
            models.UniqueConstraint(
                fields=("staff",),
                condition=Q(decided_at=None),
                name="identity_factorreset_one_open",
            ),
        )

    def __str__(self) -> str:
        return f"reset for {self.staff}"
