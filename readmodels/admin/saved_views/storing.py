"""Save, change and delete views. Owners change their views; reviewers may share theirs."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from payments import permissions
from readmodels.models import SavedView, StartView

MOST: Final = 20
_MOST_SHARED: Final = 30
GONE: Final = "This view was deleted, or is not shared with you."


class ViewRefused(Exception):
    """The change is refused. The message is shown to the person."""


def visible(user: Any, screen: str) -> Sequence[SavedView]:
    """Return the person's views in their order, then those that others share. Takes two queries.

    `is_start` marks the person's default view of the list.
    """
    mine = list(_with_start(user).filter(owner=user, screen=screen))
    shared = _with_start(user).filter(screen=screen, shared=True).exclude(owner=user)
    return [*mine, *shared.order_by("name", "pk")[:_MOST_SHARED]]


def find(user: Any, pk: int) -> SavedView | None:
    """Return the view if the person may use it."""
    return _with_start(user).filter(Q(owner=user) | Q(shared=True), pk=pk).first()


def may_share(user: Any) -> bool:
    return permissions.holds(user, permissions.REVIEW)


def may_change(user: Any, view: SavedView) -> bool:
    """Return whether the person owns the view, or may manage it because its owner has left."""
    return view.owner == user or (view.shared and not view.owner.is_active and may_share(user))


@transaction.atomic
def save(user: Any, screen: str, *, name: str, query: str, shared: bool) -> SavedView:
    """Save a new view, as the person's last one. Raises ViewRefused and PermissionDenied."""
    _require_sharing(user, shared=shared)
    # Lock the person, so that two requests at once cannot exceed the limit.
    get_user_model().objects.select_for_update().get(pk=user.pk)
    own = SavedView.objects.filter(owner=user, screen=screen)
    if own.count() >= MOST:
        raise ViewRefused(f"You have {MOST} views of this list. Delete one first.")
    _require_new_name(own, name)
    last = own.aggregate(last=Max("position"))["last"] or 0
    return own.create(
        owner=user, screen=screen, name=name, query=query, shared=shared, position=last + 1
    )


@transaction.atomic
def change(user: Any, view: SavedView, *, name: str, shared: bool) -> None:
    """Rename, share or unshare the view. Raises ViewRefused and PermissionDenied."""
    _require_change(user, view)
    _require_sharing(user, shared=shared and not view.shared)
    get_user_model().objects.select_for_update().get(pk=view.owner_id)
    _lock(user, view)
    _require_new_name(
        SavedView.objects.filter(owner=view.owner, screen=view.screen).exclude(pk=view.pk), name
    )
    view.name, view.shared = name, shared
    view.save(update_fields=("name", "shared"))
    if not shared:
        StartView.objects.filter(view=view).exclude(owner=view.owner).delete()


def delete(user: Any, view: SavedView) -> None:
    """Delete the view for everyone. Raises PermissionDenied."""
    _require_change(user, view)
    view.delete()


@transaction.atomic
def move(user: Any, view: SavedView, *, up: bool) -> None:
    """Swap the view with its neighbor, if any. Raises ViewRefused and PermissionDenied."""
    if view.owner != user:
        raise PermissionDenied
    own = list(SavedView.objects.select_for_update().filter(owner=user, screen=view.screen))
    if view not in own:
        raise ViewRefused(GONE)
    here = own.index(view)
    there = here - 1 if up else here + 1
    if 0 <= there < len(own):
        own[here], own[there] = own[there], own[here]
    for position, each in enumerate(own, start=1):
        each.position = position
    SavedView.objects.bulk_update(own, ("position",))


@transaction.atomic
def start_with(user: Any, screen: str, view: SavedView | None) -> None:
    """Make the view the person's default, or none if `view` is None. Raises ViewRefused."""
    if view is None:
        StartView.objects.filter(owner=user, screen=screen).delete()
    else:
        _lock(user, view)
        StartView.objects.update_or_create(owner=user, screen=screen, defaults={"view": view})


def _lock(user: Any, view: SavedView) -> None:
    """Lock the view until the transaction ends. Raises ViewRefused if the person may not use it."""
    rows = SavedView.objects.select_for_update(of=("self",))
    if not rows.filter(Q(owner=user) | Q(shared=True), pk=view.pk).exists():
        raise ViewRefused(GONE)


def _with_start(user: Any) -> QuerySet[SavedView]:
    start = StartView.objects.filter(owner=user, view=OuterRef("pk"))
    return SavedView.objects.select_related("owner").annotate(is_start=Exists(start))  # type: ignore[no-redef]


def _require_change(user: Any, view: SavedView) -> None:
    if not may_change(user, view):
        raise PermissionDenied


def _require_sharing(user: Any, *, shared: bool) -> None:
    if shared and not may_share(user):
        raise PermissionDenied


def _require_new_name(views: QuerySet[SavedView], name: str) -> None:
    if views.filter(name__iexact=name).exists():
        raise ViewRefused(f"There is a view named “{name}”. Choose another name.")
