"""Start, cancel or resume a backtest, and attach its result to the proposal."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View

from payments import permissions
from payments.application import policies
from payments.domain.risk.policy import RiskPolicy
from payments.domain.risk.refusals import PolicyRefused
from payments.events.reading.horizon import HorizonHeld
from payments.events.store import StaleVersion
from readmodels.admin.backtests.forms import BacktestForm, initial
from readmodels.admin.base import refusals, requests as facts
from readmodels.admin.policies.register import find_policy, page
from readmodels.backtests import attaching, requests
from readmodels.backtests.models import Backtest


class AskView(View):
    """Ask what a policy would have decided."""

    policy: RiskPolicy

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, requests.RUN):
            raise PermissionDenied
        self.register = policies.register()
        self.policy = find_policy(self.register, kwargs["policy_id"])
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, policy_id: str) -> HttpResponse:
        form = BacktestForm(self.register, initial=initial(request.GET.get("since", "")))
        return self._page(request, form)

    def post(self, request: HttpRequest, policy_id: str) -> HttpResponse:
        form = BacktestForm(self.register, request.POST)
        if not form.is_valid():
            return self._page(request, form)
        now, by = timezone.now(), facts.actor(request)
        once = requests.Repeatable(form.backtest_id(self.policy, by=by))
        try:
            question = form.question(self.policy, at=now)
            backtest = requests.request(question, by=by, at=now, repeatable=once)
        except requests.EmptyRange as error:
            form.add_error("range", str(error))
        except (requests.TooManyBacktests, HorizonHeld) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The backtest is queued.")
            return to_page(backtest.pk)
        return self._page(request, form)

    def _page(self, request: HttpRequest, form: BacktestForm) -> HttpResponse:
        found = self.register.policies.get(self.policy.policy_id)
        return page(
            request,
            "backoffice/backtests/ask.html",
            title="Test a risk policy over history",
            form=form,
            policy_id=self.policy.policy_id,
            policy_name=found.name if found is not None else "",
        )


class ChangeView(ABC, View):
    """A button on the page of a backtest. `command` names it."""

    command: ClassVar[str]
    done: ClassVar[str]
    permission: ClassVar[str] = requests.RUN
    http_method_names = ["post"]

    def post(self, request: HttpRequest, backtest_id: UUID) -> HttpResponse:
        if not permissions.holds(request.user, self.permission):
            raise PermissionDenied
        try:
            self.change(request, requests.find(backtest_id))
        except requests.UnknownBacktest as error:
            raise Http404(str(error)) from error
        except (requests.BacktestEnded, attaching.NotFinished) as error:
            messages.error(request, f"This backtest is {error.state}.")
        except (PolicyRefused, StaleVersion) as error:
            messages.error(request, refusals.describe_policy(error))
        else:
            messages.success(request, self.done)
        return to_page(backtest_id)

    @abstractmethod
    def change(self, request: HttpRequest, backtest: Backtest) -> None:
        """Carry out the command.

        Raises BacktestEnded, NotFinished, PolicyRefused and StaleVersion.
        """


class CancelView(ChangeView):
    command = "cancel"
    done = "Cancelled."

    def change(self, request: HttpRequest, backtest: Backtest) -> None:
        requests.cancel(backtest.pk, by=facts.actor(request), at=timezone.now())


class ResumeView(ChangeView):
    command = "resume"
    done = "Resumed. The workers of the service continue it."

    def change(self, request: HttpRequest, backtest: Backtest) -> None:
        requests.resume(backtest.pk, by=facts.actor(request))


class AttachView(ChangeView):
    command = "attach"
    done = "Attached to the proposal. The approver sees these numbers."
    permission = permissions.MANAGE_POLICIES

    def change(self, request: HttpRequest, backtest: Backtest) -> None:
        attaching.attach(
            backtest,
            by=facts.actor(request),
            at=timezone.now(),
            causation_id=request.META["HTTP_X_REQUEST_ID"],
            correlation_id=request.META["HTTP_X_CORRELATION_ID"],
        )


def to_page(backtest_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:backtests_backtest_change", args=[backtest_id]))
