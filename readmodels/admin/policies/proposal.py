"""The page on which a risk manager writes and proposes a policy."""

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View

from payments import permissions
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.parsing import InvalidPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.domain.risk.register import ProposePolicy
from payments.events.store import StaleVersion
from readmodels.admin.base import kept_text, refusals, requests
from readmodels.admin.policies.register import active_policy, dispatch, find_policy, page
from readmodels.policies.differences import differences


class ProposeView(View):
    """Edit, preview and propose a policy.

    The text starts as the policy `?policy=ID`, or as the active one.
    """

    keeps: ClassVar = ("document",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.MANAGE_POLICIES):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        register = policies.register()
        wanted = request.GET.get("policy")
        policy = active_policy(register) if wanted is None else find_policy(register, wanted)
        return self._page(request, parsing.write(policy))

    def post(self, request: HttpRequest) -> HttpResponse:
        text = request.POST.get("document", "")
        if kept_text.is_restored(request):
            messages.warning(request, kept_text.NOT_SENT)
            return self._page(request, text)
        try:
            policy = parsing.read(text)
        except InvalidPolicy as error:
            return self._page(request, text, problems=error.problems)
        if "propose" not in request.POST:
            active = active_policy(policies.register()).document
            found = differences(active, policy.document)
            return self._page(request, text, checked=True, differences=found)
        try:
            dispatch(
                request, ProposePolicy(policy=policy, at=timezone.now(), by=requests.actor(request))
            )
        except (PolicyRefused, StaleVersion) as error:
            return self._page(request, text, problems=(refusals.describe_policy(error),))
        messages.success(request, "Proposed. A second risk manager must approve it.")
        return HttpResponseRedirect(reverse("policy", args=[policy.policy_id]))

    def _page(self, request: HttpRequest, text: str, **found: Any) -> HttpResponse:
        title = "Propose a risk policy"
        return page(request, "backoffice/policy_proposal.html", title=title, document=text, **found)
