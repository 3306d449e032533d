"""Create, rotate and revoke API keys. Django's admin log records each change, never the text of a key."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views import View
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from payments import actors, permissions
from payments.clients import keys
from payments.clients.models import LONGEST_LABEL, OF_STAFF, ApiKey, Client, Scope
from readmodels.admin.base import kept_text, requests
from readmodels.admin.base.text_field import StoredTextField

_LONGEST_DAYS: Final = 3650
_LONGEST_HOURS: Final = 24 * 90
_USUAL: Final = (Scope.PAYMENTS_WRITE, Scope.PAYMENTS_READ, Scope.STATISTICS_READ)
_NUMBER: Final = {"autocomplete": "off", "inputmode": "numeric"}


class NewKeyForm(forms.Form):
    """The fields of a new key. `id` becomes the key's id: a repeated form creates no second key."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    label = StoredTextField(
        required=False,
        max_length=LONGEST_LABEL,
        help_text="Optional. What the key is for, such as “web shop”.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        initial=[scope.value for scope in _USUAL],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="With reviews:write or policies, the key acts as you and with your permissions."
        " Policies and backtests concern the payments of all clients.",
    )
    days = forms.IntegerField(
        label="Expires in days",
        required=False,
        min_value=1,
        max_value=_LONGEST_DAYS,
        widget=UnfoldAdminTextInputWidget(attrs=_NUMBER),
        help_text=f"1 to {_LONGEST_DAYS}. Leave it empty for a key that never expires.",
    )

    def expires_at(self, at: datetime) -> datetime | None:
        days = self.cleaned_data["days"]
        return None if days is None else at + timedelta(days=days)


class RotateForm(forms.Form):
    hours = forms.IntegerField(
        label="Hours that the old key still works",
        initial=24,
        min_value=0,
        max_value=_LONGEST_HOURS,
        widget=UnfoldAdminTextInputWidget(attrs=_NUMBER),
        help_text=f"0 to {_LONGEST_HOURS}. With 0 the old key ends now.",
    )


class _KeyView(View):
    """Base class of the pages."""

    admin: Any = None
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, keys.MANAGE):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def page(
        self, request: HttpRequest, template: str, client: Client, **more: Any
    ) -> HttpResponse:
        found: HttpResponse = self.admin.page(
            request, f"backoffice/{template}.html", original=client, client=client, **more
        )
        return found

    def new_key_page(self, request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
        """Show a new key. No later page shows it, and browsers store no page of the back office."""
        return self.page(request, "new_key", key.client, title="New key", key=key, text=text)


class CreateView(_KeyView):
    keeps: ClassVar = ("label",)

    def get(self, request: HttpRequest, client_id: UUID) -> HttpResponse:
        return self._page(request, get_object_or_404(Client, pk=client_id), NewKeyForm())

    def post(self, request: HttpRequest, client_id: UUID) -> HttpResponse:
        client = get_object_or_404(Client, pk=client_id)
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            initial = {"label": request.POST.get("label", "")}
            return self._page(request, client, NewKeyForm(initial=initial))
        form = NewKeyForm(request.POST)
        if not form.is_valid():
            return self._page(request, client, form)
        earlier = ApiKey.objects.filter(pk=form.cleaned_data["id"]).first()
        if earlier is not None:
            form.add_error(
                None, f"This form has created {earlier}. If its text was lost, rotate it."
            )
            return self._page(request, client, form)
        by, now = requests.actor(request), timezone.now()
        scopes = form.cleaned_data["scopes"]
        with transaction.atomic():
            key, text = keys.create(
                client,
                scopes,
                # A key with staff scopes acts as its creator, never as another person.
                staff_id=actors.staff_pk(by) if OF_STAFF & set(scopes) else None,
                expires_at=form.expires_at(now),
                label=form.cleaned_data["label"],
                key_id=form.cleaned_data["id"],
                by=by,
            )
            _record(request, key, f"Created with {', '.join(key.scopes)}", flag=ADDITION)
        return self.new_key_page(request, key, text)

    def _page(self, request: HttpRequest, client: Client, form: NewKeyForm) -> HttpResponse:
        return self.page(
            request, "key_form", client, title="Create API key", form=form, button="Create"
        )


class RotateView(_KeyView):
    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        return self._page(request, _key(key_id), RotateForm())

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key, form = _key(key_id), RotateForm(request.POST)
        if not form.is_valid():
            return self._page(request, key, form)
        now = timezone.now()
        until = now + timedelta(hours=form.cleaned_data["hours"])
        try:
            with transaction.atomic():
                new, text = keys.rotate(key, at=now, old_until=until, by=requests.actor(request))
                _record(request, key, f"Replaced by {new}")
        except keys.KeyRefused as error:
            form.add_error(None, str(error))
            return self._page(request, key, form)
        return self.new_key_page(request, new, text)

    def _page(self, request: HttpRequest, key: ApiKey, form: RotateForm) -> HttpResponse:
        title = f"Rotate {key}"
        return self.page(
            request, "key_form", key.client, title=title, form=form, button="Rotate", key=key
        )


class RevokeView(_KeyView):
    """Ask for confirmation, then revoke the key."""

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = _key(key_id)
        return self.page(request, "revoke_key", key.client, title=f"Revoke {key}", key=key)

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        key = _key(key_id)
        with transaction.atomic():
            keys.revoke(key, at=timezone.now(), by=requests.actor(request))
            _record(request, key, "Revoked")
        messages.success(request, f"{key} is revoked. The API refuses it within three seconds.")
        return HttpResponseRedirect(reverse("admin:clients_client_change", args=[key.client_id]))


def _key(key_id: UUID) -> ApiKey:
    return get_object_or_404(ApiKey.objects.select_related("client"), pk=key_id)


def _record(request: HttpRequest, key: ApiKey, change: str, *, flag: int = CHANGE) -> None:
    """Write to Django's admin log who changed the key and how."""
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(ApiKey),
        object_id=str(key.pk),
        object_repr=str(key),
        action_flag=flag,
        change_message=change,
    )
