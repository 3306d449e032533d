"""The list of changes to how staff sign in, for auditors."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.decorators import display

from payments.identity.models import SecurityRecord
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import BrowsingAdmin
from readmodels.admin.base.filters import TypedFilter

# Django's page for the model would show secrets to superusers.
admin.site.unregister(TOTPDevice)


class NameFilter(TypedFilter):
    title = "username"
    parameter_name = "staff__username"


@admin.register(SecurityRecord)
class SecurityRecordAdmin(BrowsingAdmin):
    list_display = ("when", "who", "what", "by")
    list_select_related = ("staff",)
    list_filter = (NameFilter,)
    has_pages = False

    @display(description="When (UTC)")
    def when(self, row: SecurityRecord) -> str:
        return f"{row.at:%Y-%m-%d %H:%M:%S}"

    @display(description="Username")
    def who(self, row: SecurityRecord) -> str:
        return fragments.foreign_text(row.staff)

    @display(description="Change")
    def what(self, row: SecurityRecord) -> str:
        return row.get_change_display()

    @display(description="By")
    def by(self, row: Any) -> str:
        return fragments.foreign_text(row.details)

    def details(self, rows: Sequence[Any]) -> Mapping[Any, str]:
        """Return the names of those who made the changes."""
        names = labels.people(row.actor for row in rows)
        return {row.pk: names.get(row.actor, row.actor) for row in rows}
