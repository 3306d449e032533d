"""The page where a risk manager writes and proposes a policy, in a form or as JSON."""

import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views import View

from payments import permissions
from payments.application import policies
from payments.domain.risk import parsing
from payments.domain.risk.parsing import InvalidPolicy, Path
from payments.domain.risk.policy import RiskPolicy
from payments.domain.risk.refusals import ListsUnusable, PolicyRefused
from payments.domain.risk.register import ProposePolicy
from payments.events.store import StaleVersion
from payments.lists.models import RiskList
from readmodels.admin.base import kept_text, refusals, requests
from readmodels.admin.policies import draft as drafts, writing
from readmodels.admin.policies.draft import Draft
from readmodels.admin.policies.fields import FormFields
from readmodels.admin.policies.register import dispatch, find_policy, page
from readmodels.admin.policies.writing import FieldFault, InvalidDraft
from readmodels.policies.differences import differences

_INDEX: Final = re.compile("[0-9]{1,5}")
_NO_CONDITION: Final = "Choose the type of the condition first."
_TITLE: Final = "Propose a risk policy"
# More parts might exceed the size of a request: see DATA_UPLOAD_MAX_MEMORY_SIZE.
_MOST_PARTS: Final = 3_000
_TOO_LARGE: Final = "This policy is too large for the form. Edit it as JSON."


class ProposeView(View):
    """Edit, preview and propose a policy.

    The form starts with the policy in `?policy=ID`, or with the active one. Only the JSON editor
    sends the field `document`. The buttons `json` and `form` switch between the two editors.
    """

    keeps: ClassVar = kept_text.ALL_FIELDS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not permissions.holds(request.user, permissions.MANAGE_POLICIES):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        register = policies.register()
        wanted = request.GET.get("policy")
        policy = policies.active_of(register) if wanted is None else find_policy(register, wanted)
        again = None if wanted is None else register.policies.get(wanted)
        name, comment = (again.name, again.comment) if again else ("", "")
        draft = drafts.draft_of(policy.document, name=name, comment=comment)
        return self._form(request, draft)

    def post(self, request: HttpRequest) -> HttpResponse:
        restored = kept_text.is_restored(request)
        if restored:
            messages.warning(request, kept_text.NOT_SENT)
        if "document" in request.POST:
            return self._post_json(request, restored=restored)
        draft = drafts.read(request.POST)
        if restored:
            return self._form(request, draft)
        if "change" in request.POST:
            return self._change(request, draft, request.POST["change"])
        _add_chosen_conditions(draft)
        try:
            if "json" in request.POST:
                return self._switch_to_json(request, draft)
            policy = writing.policy_of(draft)
            policies.check_lists(policy)
            if "propose" not in request.POST:
                return self._form(request, draft, preview=policy)
            name, comment = writing.texts_of(draft)
            return _propose(request, policy, name, comment)
        except InvalidDraft as error:
            return self._form(request, draft, error.faults)
        except ListsUnusable as error:
            return self._form(request, draft, writing.faults_of_lists(draft, error))
        except (PolicyRefused, StaleVersion) as error:
            return self._form(request, draft, [((), refusals.describe_policy(error))])

    def _change(self, request: HttpRequest, draft: Draft, change: str) -> HttpResponse:
        """Add or remove a rule, a condition or an amount. `change` is the value of the button."""
        verb, _, name = change.partition(" ")
        path: Path = tuple(
            int(each) if _INDEX.fullmatch(each) else each for each in name.split("-")
        )
        if verb == "remove" and drafts.remove(draft, path):
            return self._form(request, draft, focus=("add", *path[:-1]))
        if verb == "add":
            added = drafts.add(draft, path)
            if added is not None:
                return self._form(request, draft, focus=_first_field(draft, added))
            if path[-1:] == ("when",):
                chooser = (*path[:-1], "adding")
                return self._form(request, draft, [(chooser, _NO_CONDITION)], focus=chooser)
        return self._form(request, draft)

    def _form(
        self,
        request: HttpRequest,
        draft: Draft,
        faults: Iterable[FieldFault] = (),
        *,
        preview: RiskPolicy | None = None,
        focus: Path | None = None,
    ) -> HttpResponse:
        lists = RiskList.objects.filter(archived_at=None).order_by("name")
        names = list(lists.values_list("name", flat=True))
        form = FormFields(draft, faults, focus=focus, lists=names)
        if len(form.parts) > _MOST_PARTS:
            messages.warning(request, _TOO_LARGE)
            return self._json(request, json.dumps(writing.write(draft)[0], indent=2), draft)
        return page(
            request,
            "backoffice/policies/form.html",
            title=_TITLE,
            form=form,
            **_compared(preview),
        )

    def _switch_to_json(self, request: HttpRequest, draft: Draft) -> HttpResponse:
        """Show the form's content as JSON. Raises InvalidDraft if JSON cannot hold a text."""
        document, faults = writing.write(draft)
        if faults:
            raise InvalidDraft(*faults)
        return self._json(request, json.dumps(document, indent=2), draft)

    def _post_json(self, request: HttpRequest, *, restored: bool) -> HttpResponse:
        text = request.POST["document"]
        draft = drafts.read(request.POST)  # has the name and the comment
        if restored:
            return self._json(request, text, draft)
        try:
            policy = parsing.read(text)
        except InvalidPolicy as error:
            return self._json(request, text, draft, problems=error.problems)
        if "form" in request.POST:
            draft = drafts.draft_of(policy.document, name=draft.name, comment=draft.comment)
            return self._form(request, draft)
        if "propose" not in request.POST:
            return self._json(request, text, draft, preview=policy)
        try:
            name, comment = writing.texts_of(draft)
            return _propose(request, policy, name, comment)
        except InvalidDraft as error:
            return self._json(request, text, draft, error.faults)
        except (PolicyRefused, StaleVersion) as error:
            problem = refusals.describe_policy(error)
            return self._json(request, text, draft, problems=(problem,))

    def _json(
        self,
        request: HttpRequest,
        text: str,
        draft: Draft,
        faults: Iterable[FieldFault] = (),
        *,
        problems: tuple[str, ...] = (),
        preview: RiskPolicy | None = None,
    ) -> HttpResponse:
        named = Draft(draft.name, draft.comment, draft.numbers, draft.limits, [])
        return page(
            request,
            "backoffice/policies/json.html",
            title=_TITLE,
            document=text,
            form=FormFields(named, faults),
            problems=problems,
            **_compared(preview),
        )


def _propose(request: HttpRequest, policy: RiskPolicy, name: str, comment: str) -> HttpResponse:
    command = ProposePolicy(
        policy=policy,
        policy_name=name,
        comment=comment,
        at=timezone.now(),
        by=requests.actor(request),
    )
    dispatch(request, command)
    messages.success(request, "Proposed. A second risk manager must approve it.")
    return HttpResponseRedirect(reverse("policy", args=[policy.policy_id]))


def _compared(preview: RiskPolicy | None) -> dict[str, Any]:
    if preview is None:
        return {"checked": False}
    active = policies.active_of(policies.register())
    return {"checked": True, "differences": differences(active.document, preview.document)}


def _add_chosen_conditions(draft: Draft) -> None:
    """Add conditions that were chosen but not added with the button, so that none is lost."""
    for index in range(len(draft.rules)):
        drafts.add(draft, ("rules", index, "when"))


def _first_field(draft: Draft, added: Path) -> Path:
    """Return the path of the first field of a new item."""
    match added:
        case ("rules", _):
            return (*added, "reason")
        case ("rules", int(rule), "when", int(number)):
            values = draft.rules[rule].when[number].values
            for name, value in values.items():
                if not isinstance(value, list):
                    return (*added, name)
                return (*added, name, 0, "amount") if value else added
            return added
    return (*added, "currency")
