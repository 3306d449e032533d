"""The pages that save, list and change views, for the lists in `screens`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View
from django.views.decorators.http import require_GET, require_POST
from unfold.widgets import UnfoldBooleanSwitchWidget

from readmodels.admin.base.browsing import SORT, VIEW
from readmodels.admin.base.filters import Checked
from readmodels.admin.base.text_field import StoredTextField
from readmodels.admin.saved_views import storing
from readmodels.admin.saved_views.lists import Filters, ViewsAdmin
from readmodels.admin.saved_views.storing import ViewRefused
from readmodels.models import SavedView
from readmodels.models.saved_views import LONGEST_NAME, LONGEST_QUERY

Screens = Mapping[str, ViewsAdmin]


class ViewForm(forms.Form):
    name = StoredTextField(max_length=LONGEST_NAME)
    shared = forms.BooleanField(
        label="Share it with all staff", required=False, widget=UnfoldBooleanSwitchWidget
    )
    start = forms.BooleanField(
        label="Open the list with it", required=False, widget=UnfoldBooleanSwitchWidget
    )

    def __init__(self, user: Any, *args: Any, is_shared: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not (is_shared or storing.may_share(user)):
            del self.fields["shared"]


class SaveView(View):
    """Save the filters in the URL as a view."""

    def get(self, request: HttpRequest, screens: Screens, screen: str) -> HttpResponse:
        listing = _screen(request, screens, screen)
        return self._form_page(request, listing, ViewForm(request.user))

    def post(self, request: HttpRequest, screens: Screens, screen: str) -> HttpResponse:
        listing = _screen(request, screens, screen)
        form = ViewForm(request.user, request.POST)
        if not form.is_valid():
            return self._form_page(request, listing, form)
        query = urlencode(listing.view_of(request.GET))
        if not query or len(query) > LONGEST_QUERY or _problems(request, listing):
            messages.error(request, "Only valid filters can be saved. Correct them first.")
            return HttpResponseRedirect(f"{listing.list_url()}?{query or 'view=all'}")
        try:
            view = storing.save(
                request.user,
                screen,
                name=form.cleaned_data["name"],
                query=query,
                shared=form.cleaned_data.get("shared", False),
            )
            if form.cleaned_data["start"]:
                storing.start_with(request.user, screen, view)
        except ViewRefused as error:
            form.add_error("name", str(error))
            return self._form_page(request, listing, form)
        messages.success(request, f"Saved as “{view}”.")
        return HttpResponseRedirect(f"{listing.list_url()}?{query}")

    def _form_page(self, request: HttpRequest, listing: ViewsAdmin, form: ViewForm) -> HttpResponse:
        view = listing.view_of(request.GET)
        return _form_page(
            request,
            form,
            title="Save this view",
            lines=describe(request, listing, view),
            button="Save",
            back=f"{listing.list_url()}?{urlencode(view)}",
        )


class EditView(View):
    """Rename, share or unshare a view."""

    def get(self, request: HttpRequest, screens: Screens, pk: int) -> HttpResponse:
        listing, view = _own(request, screens, pk)
        form = ViewForm(request.user, is_shared=view.shared, initial=_facts(view))
        return self._form_page(request, listing, form, view)

    def post(self, request: HttpRequest, screens: Screens, pk: int) -> HttpResponse:
        listing, view = _own(request, screens, pk)
        form = ViewForm(request.user, request.POST, is_shared=view.shared, initial=_facts(view))
        if not form.is_valid():
            return self._form_page(request, listing, form, view)
        shared, starts = form.cleaned_data.get("shared", view.shared), form.cleaned_data["start"]
        try:
            storing.change(request.user, view, name=form.cleaned_data["name"], shared=shared)
            if starts != view.is_start:
                storing.start_with(request.user, view.screen, view if starts else None)
        except ViewRefused as error:
            form.add_error("name", str(error))
            return self._form_page(request, listing, form, view)
        messages.success(request, f"Saved “{view}”.")
        return HttpResponseRedirect(reverse("saved_views", args=[view.screen]))

    def _form_page(
        self, request: HttpRequest, listing: ViewsAdmin, form: ViewForm, view: SavedView
    ) -> HttpResponse:
        return _form_page(
            request,
            form,
            title=f"Edit the view “{view}”",
            lines=describe(request, listing, listing.kept(view)[0]),
            button="Save",
            back=reverse("saved_views", args=[view.screen]),
        )


@require_GET
def overview(request: HttpRequest, screens: Screens, screen: str) -> HttpResponse:
    """List the views of a list that the person can use, with their buttons."""
    listing = _screen(request, screens, screen)
    views = storing.visible(request.user, screen)
    return _page(
        request,
        "backoffice/saved_views.html",
        title=f"Views: {listing.list_title}",
        back=f"{listing.list_url()}?view=all",
        most=storing.MOST,
        rows=[
            {
                "view": view,
                "lines": describe(request, listing, listing.kept(view)[0]),
                "dropped": listing.kept(view)[1],
                "url": f"{listing.list_url()}?{VIEW}={view.pk}",
                "is_own": view.owner == request.user,
                "may_change": storing.may_change(request.user, view),
            }
            for view in views
        ],
    )


@require_POST
def act(request: HttpRequest, screens: Screens, pk: int, action: str) -> HttpResponse:
    """Move or delete a view, or make it the default view of the list."""
    _, view = _visible(request, screens, pk)
    try:
        _act(request, view, action)
    except ViewRefused as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("saved_views", args=[view.screen]))


def _act(request: HttpRequest, view: SavedView, action: str) -> None:
    match action:
        case "up" | "down":
            storing.move(request.user, view, up=action == "up")
        case "start":
            storing.start_with(request.user, view.screen, view)
            messages.success(request, f"The list opens with “{view}”.")
        case "unstart":
            storing.start_with(request.user, view.screen, None)
            messages.success(request, "The list opens unfiltered.")
        case "delete":
            storing.delete(request.user, view)
            messages.success(request, f"Deleted “{view}”.")
        case _:
            raise Http404


def describe(request: HttpRequest, listing: ViewsAdmin, view: Filters) -> list[str]:
    """Return a line for each filter of the view, and one for its order."""
    filters = listing.selection(request, view).described_filters()
    lines = [f"{title}: {value}" for title, value in filters]
    sort = listing.sorts.get(view.get(SORT, ""))
    return [*lines, f"Order: {sort.label}"] if sort else lines


def _problems(request: HttpRequest, listing: ViewsAdmin) -> bool:
    specs = listing.selection(request, listing.view_of(request.GET)).filter_specs
    return any(each.problems() for each in specs if isinstance(each, Checked))


def _screen(request: HttpRequest, screens: Screens, screen: str) -> ViewsAdmin:
    listing = screens.get(screen)
    if listing is None or not listing.has_view_permission(request):
        raise Http404
    return listing


def _visible(request: HttpRequest, screens: Screens, pk: int) -> tuple[ViewsAdmin, SavedView]:
    view = storing.find(request.user, pk)
    if view is None:
        raise Http404
    return _screen(request, screens, view.screen), view


def _own(request: HttpRequest, screens: Screens, pk: int) -> tuple[ViewsAdmin, SavedView]:
    listing, view = _visible(request, screens, pk)
    if not storing.may_change(request.user, view):
        raise Http404
    return listing, view


def _facts(view: SavedView) -> dict[str, Any]:
    return {"name": view.name, "shared": view.shared, "start": view.is_start}


def _form_page(request: HttpRequest, form: ViewForm, **context: Any) -> HttpResponse:
    return _page(request, "backoffice/form.html", form=form, variant="primary", **context)


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
