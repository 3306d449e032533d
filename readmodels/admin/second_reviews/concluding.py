"""The page of an open second review: the evidence without the decision, and the form for the verdict."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View

from payments import permissions
from payments.application import second_reviews
from payments.customers import notes
from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.second_review import SecondReview, SecondReviewDone, Severity
from readmodels import labels, models
from readmodels.admin.base import kept_text, requests
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.review.form_fields import Radios
from readmodels.admin.second_reviews import access, page

_OTHER: Final = "other"
# The value of each choice combines the verdict and its reason.
_REASONS: Final[dict[str, ApprovalReason | RejectionReason]] = {
    **{f"approve-{each}": each for each in ApprovalReason},
    **{f"reject-{each}": each for each in RejectionReason},
}


def _choice(value: str) -> str:
    return f"{value.partition('-')[0].capitalize()}: {labels.label(_REASONS[value]).lower()}"


class VerdictForm(forms.Form):
    verdict = forms.ChoiceField(
        label="What would you have decided?",
        choices=[(value, _choice(value)) for value in _REASONS],
        widget=Radios,
        error_messages={"required": "Choose a verdict with its reason."},
    )
    severity = forms.ChoiceField(
        label="How severe would the opposite decision be?",
        choices=[(each.value, labels.label(each)) for each in Severity],
        widget=Radios,
        error_messages={"required": "Choose how severe the opposite decision would be."},
    )
    note = StoredTextField(
        required=False,
        empty_value=None,
        max_length=notes.LONGEST,
        rows=4,
        help_text="Required for the reason “Other”. No card numbers. Notes can be erased on request.",
    )

    def clean(self) -> dict[str, Any]:
        found = _REASONS.get(self.cleaned_data.get("verdict", ""))
        if found == _OTHER and self.cleaned_data.get("note", "") is None:
            self.add_error("note", "Describe the reason in the note, or choose another reason.")
        return self.cleaned_data


class ConcludeView(View):
    """Show the evidence and the form, and record the verdict."""

    keeps: ClassVar = ("verdict", "severity", "note")
    admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.CONCLUDE_SECOND_REVIEW):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, review: UUID) -> HttpResponse:
        found = access.load(review, requests.actor(request))
        if found.conclusion is not None:
            return _to_page(review)
        return self._page(request, found, VerdictForm())

    def post(self, request: HttpRequest, review: UUID) -> HttpResponse:
        found = access.load(review, requests.actor(request))
        if kept_text.is_restored(request):
            typed = {name: request.POST.get(name, "") for name in self.keeps}
            form = VerdictForm(initial=typed)
            return self._page(request, found, form, refusal=kept_text.NOT_SENT)
        form = VerdictForm(request.POST)
        if not form.is_valid():
            return self._page(request, found, form)
        actor = requests.actor(request)
        try:
            second_reviews.conclude(
                review,
                reason=_REASONS[form.cleaned_data["verdict"]],
                severity=Severity(form.cleaned_data["severity"]),
                note=form.cleaned_data["note"],
                by=actor,
                at=timezone.now(),
                correlation_id=request.META["HTTP_X_CORRELATION_ID"],
            )
        except SecondReviewDone as refusal:
            by = "You have" if refusal.by == actor else f"{labels.person(refusal.by)} has"
            messages.warning(request, f"{by} concluded this second review already.")
        else:
            messages.success(request, "Second review concluded. Compare the verdicts below.")
        return _to_page(review)

    def _page(
        self, request: HttpRequest, review: SecondReview, form: VerdictForm, *, refusal: str = ""
    ) -> HttpResponse:
        answer: HttpResponse = self.admin.page(
            request,
            "backoffice/second_reviews/conclude.html",
            title=f"Second review of {review.request.amount.formatted()}",
            original=models.SecondReview(pk=review.review_id),
            form=form,
            refusal=refusal,
            **page.gather(review, request),
        )
        return answer


def _to_page(review: UUID) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:readmodels_secondreview_change", args=[review]))
