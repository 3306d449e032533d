"""Change one's own password. The first sign-in asks for this, too."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.hashers import check_password
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpResponse
from django.urls import reverse_lazy
from unfold.forms import AdminOwnPasswordChangeForm

from payments.identity import sessions, signing_in
from readmodels.admin.base import requests
from readmodels.staff import changes


class PasswordForm(AdminOwnPasswordChangeForm):
    def clean_old_password(self) -> str:
        """Only compare the old password. If Django rehashed it, the person's sessions would end."""
        old: str = self.cleaned_data["old_password"]
        if not check_password(old, self.user.password):
            message = self.error_messages["password_incorrect"]
            raise forms.ValidationError(message, code="password_incorrect")
        return old

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        new = cleaned.get("new_password1")
        if new and new == cleaned.get("old_password"):
            self.add_error(
                "new_password1", forms.ValidationError("Choose another password than the old one.")
            )
        return cleaned


class PasswordView(PasswordChangeView):
    """Change the password. All other sessions end, because each stores a hash of the password."""

    form_class = PasswordForm
    template_name = "registration/password_change_form.html"
    success_url = reverse_lazy("account")

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        context = super().get_context_data(**more)
        return context | admin.site.each_context(self.request) | {"title": "Change password"}

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if signing_in.must_change_password(request):
            messages.warning(request, "Choose your own password. The current one was given to you.")
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        with changes.by_oneself(requests.actor(self.request)):
            sessions.require_open(self.request)
            answer = super().form_valid(form)
            signing_in.password_changed(self.request, form.user)
        messages.success(self.request, "Your password is changed. All other sessions are ended.")
        return answer
