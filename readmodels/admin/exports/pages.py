"""The pages for exports: start one, follow those in the background, download files."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from unfold.widgets import UnfoldAdminRadioSelectWidget

from payments import permissions
from readmodels.admin.base import requests
from readmodels.admin.exports import lists, making
from readmodels.admin.exports.lists import ExportedList, WrongFilter
from readmodels.exports import files, leases, recording, writing
from readmodels.exports.models import UNFINISHED, Export, Format, State
from readmodels.exports.templatetags.export_notice import HAS_FILES

_CSV: Final = "csv"
_CSV_BOM: Final = "csv-bom"
_FORMATS: Final = (
    ("xlsx", "Workbook (XLSX)"),
    (_CSV_BOM, "CSV for Excel (UTF-8 with BOM)"),
    (_CSV, "CSV (UTF-8)"),
)
_MOST_UNFINISHED: Final = 3  # per person
_MOST_SHOWN: Final = 50
_SECONDS: Final = 3


class ExportForm(forms.Form):
    format = forms.ChoiceField(
        choices=_FORMATS,
        initial="xlsx",
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={
            "required": "Choose a format.",
            "invalid_choice": "This is not one of the formats. Choose one.",
        },
    )


class ExportView(View):
    """Show which rows the filters select, and export them. The URL contains the filters."""

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, kind: str, **kwargs: Any) -> Any:
        listed = lists.find(kind)
        if listed is None:
            raise Http404(f"There is no list {kind}.")
        self.listed: ExportedList = listed
        making.permitted(requests.actor(request), listed)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, ExportForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        query, user = self.listed.query(request.GET.dict()), request.user
        try:
            is_long = making.is_long(self.listed, user, query)  # type: ignore[arg-type]
        except WrongFilter:
            return self._page(request, form)  # it names the wrong filter
        by, chosen = requests.actor(request), form.cleaned_data["format"]
        if is_long and _unfinished(by) >= _MOST_UNFINISHED:
            form.add_error(
                None, f"You wait for {_MOST_UNFINISHED} exports. Let one finish, or cancel one."
            )
            return self._page(request, form)
        export = recording.of_list(
            self.listed.kind,
            query=query,
            format=Format.CSV if chosen in {_CSV, _CSV_BOM} else Format(chosen),
            with_bom=chosen == _CSV_BOM,
            in_background=is_long,
            by=by,
            at=timezone.now(),
        )
        if is_long:
            request.session[HAS_FILES] = True
            return HttpResponseRedirect(reverse("exports"))
        return self._streamed(request, form, export)

    def _streamed(self, request: HttpRequest, form: ExportForm, export: Export) -> HttpResponseBase:
        content = making.stream(export)
        try:
            # Make the first block before the response starts, so that a failure is shown on a page.
            first = next(content)
        except (files.FolderUnusable, OSError) as error:
            form.add_error(None, f"Nothing was exported. {error}")
            return self._page(request, form)
        return _download(export, _resumed(first, content))

    def _page(self, request: HttpRequest, form: ExportForm) -> HttpResponse:
        query = self.listed.query(request.GET.dict())
        problem, filters = "", ()
        try:
            filters = self.listed.selected(request.user, query).filters  # type: ignore[arg-type,assignment]
        except WrongFilter as error:
            problem = str(error)
        context = {
            "title": f"Export: {self.listed.kind.label}",
            "form": form,
            "filters": filters,
            "problem": problem,
            "left_out": bool(request.GET.get("q")),
            "columns": self.listed.columns.titles,
            "at_once": making.AT_ONCE,
            "back": f"{self.listed.url()}?{query}" if query else self.listed.url(),
        }
        return TemplateResponse(
            request, "backoffice/exports/form.html", admin.site.each_context(request) | context
        )


@require_GET
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Show the person's background exports. The page reloads itself while one is unfinished."""
    if not permissions.holds(request.user, recording.LISTS):
        raise PermissionDenied
    found = list(making.of_person(requests.actor(request))[:_MOST_SHOWN])
    waits = any(each.state in UNFINISHED for each in found)
    if not any(each.expires_at or each.state in UNFINISHED for each in found):
        request.session.pop(HAS_FILES, None)
    context = {
        "title": "Your exports",
        "exports": found,
        "waits": waits,
        "hours": int(leases.LIFETIME.total_seconds() // 3600),
    }
    answer = TemplateResponse(
        request, "backoffice/exports/overview.html", admin.site.each_context(request) | context
    )
    if waits and "still" not in request.GET:
        answer["Refresh"] = str(_SECONDS)
    return answer


@require_GET
@never_cache
def download(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """Send the file to the person who requested it, if they may still see the list."""
    export = _own(request, export_id)
    listed = lists.find(export.kind)
    if listed is None or export.state != State.DONE or not export.expires_at:
        raise Http404("There is no such file, or it has expired.")
    making.permitted(export.requested_by, listed)
    if export.expires_at <= timezone.now() or not files.path_of(export).exists():
        messages.error(request, "This file has expired. Export the list again.")
        return HttpResponseRedirect(reverse("exports"))
    return _download(export, writing.blocks_of(files.path_of(export)))


@require_POST
def cancel(request: HttpRequest, export_id: UUID) -> HttpResponse:
    export = _own(request, export_id)
    if leases.cancel(export.pk, by=export.requested_by, at=timezone.now()):
        messages.success(request, "The export is cancelled.")
    else:
        messages.warning(request, "The export has ended already.")
    return HttpResponseRedirect(reverse("exports"))


def _own(request: HttpRequest, export_id: UUID) -> Export:
    return get_object_or_404(making.of_person(requests.actor(request)), pk=export_id)


def _unfinished(by: str) -> int:
    return making.of_person(by).filter(state__in=UNFINISHED).count()


def _download(export: Export, content: Iterator[bytes]) -> HttpResponseBase:
    name = making.file_name(export)
    disposition = content_disposition_header(as_attachment=True, filename=name)
    return StreamingHttpResponse(
        content,
        content_type=writing.CONTENT_TYPES[Format(export.format)],
        headers={
            "Content-Disposition": disposition or "attachment",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _resumed(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the first block, then the rest. Unlike itertools.chain, it closes `rest` on close()."""
    yield first
    yield from rest
