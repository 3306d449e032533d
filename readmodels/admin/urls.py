"""The URLs below /admin/ of screens that belong to no model.

`get_urls` of a model's admin has the URLs of the model's pages and buttons.
"""

from typing import Any, Final

from django.contrib import admin
from django.urls import path
from django.views import View

from payments.api.http.paths import uuid
from readmodels.admin import search
from readmodels.admin.account import page as account, passkeys, password, second_factor
from readmodels.admin.account.asking import recently_verified
from readmodels.admin.analytics import page as analytics
from readmodels.admin.backtests import changes as backtest_changes, shadows
from readmodels.admin.base import kept_text
from readmodels.admin.disputes import lists as disputes
from readmodels.admin.exports import pages as exports
from readmodels.admin.lists import changes as list_changes, pages as lists
from readmodels.admin.policies import decisions, pages, proposal
from readmodels.admin.review import hand_over, mentions, payments, polling, queue
from readmodels.admin.review.bulk import views as bulk
from readmodels.admin.saved_views import pages as saved_views
from readmodels.admin.second_reviews import lists as second_reviews
from readmodels.models import PaymentSummary

_staff_only = admin.site.admin_view


def _form(view: type[View]) -> Any:
    return kept_text.keep_typed_text(_staff_only(view.as_view()))


def _proved(view: Any) -> Any:
    return _staff_only(recently_verified(view))


def _proved_form(view: type[View]) -> Any:
    return kept_text.keep_typed_text(_proved(view.as_view()))


# The lists with saved views.
_LISTS: Final = {
    "screens": {
        each.screen: each(PaymentSummary, admin.site)
        for each in (payments.PaymentAdmin, queue.QueueAdmin)
    }
}

urlpatterns = [
    path("login/", kept_text.sign_in),
    path("password_change/", _staff_only(password.PasswordView.as_view()), name="password_change"),
    path("second-factor/", _staff_only(second_factor.ProveView.as_view()), name="second_factor"),
    path(
        "second-factor/set-up/",
        _staff_only(second_factor.SetUpView.as_view()),
        name="second_factor_set_up",
    ),
    *(
        path(f"second-factor/{route}/", _staff_only(view.as_view()), name=name)
        for name, route, view in (
            ("passkey_add_begin", "passkey/add/begin", passkeys.AddBeginView),
            ("passkey_add", "passkey/add", passkeys.AddView),
            ("passkey_use_begin", "passkey/use/begin", passkeys.UseBeginView),
            ("passkey_use", "passkey/use", passkeys.UseView),
        )
    ),
    path("account/", _staff_only(account.page), name="account"),
    path("account/remove-app/", _proved(account.remove_app), name="remove_app"),
    path(
        "account/remove-passkey/<int:pk>/", _proved(account.remove_passkey), name="remove_passkey"
    ),
    path(
        "account/recovery-codes/",
        _proved(second_factor.CodesView.as_view()),
        name="recovery_codes",
    ),
    path(
        "account/end-session/<slug:chosen>/", _staff_only(account.end_session), name="end_session"
    ),
    path(
        "account/end-other-sessions/",
        _staff_only(account.end_other_sessions),
        name="end_other_sessions",
    ),
    path("find/", _staff_only(search.search), name="search_all"),
    path("reviews/", _staff_only(queue.queue), name="review_queue"),
    path("reviews/poll/", _staff_only(polling.poll), name="queue_poll"),
    path("reviews/claim-next/", _staff_only(queue.claim_next), name="claim_next"),
    path("reviews/hand-over/", _form(hand_over.HandOverView), name="hand_over"),
    path("reviews/bulk/", _proved_form(bulk.PreviewView), name="bulk"),
    path("reviews/bulk/confirm/", _proved_form(bulk.ConfirmView), name="bulk_confirm"),
    path("reviews/bulk/outcome/", _form(bulk.OutcomeView), name="bulk_outcome"),
    path("mentions/", _staff_only(mentions.page), name="mentions"),
    path("mentions/read/", _staff_only(mentions.read_all), name="mentions_read"),
    path("mentions/<int:mention>/open/", _staff_only(mentions.open_payment), name="mention_open"),
    path("views/<slug:screen>/", _staff_only(saved_views.overview), _LISTS, name="saved_views"),
    path("views/<slug:screen>/save/", _form(saved_views.SaveView), _LISTS, name="saved_view_save"),
    path("view/<int:pk>/", _form(saved_views.EditView), _LISTS, name="saved_view_edit"),
    path(
        "view/<int:pk>/<slug:action>/", _staff_only(saved_views.act), _LISTS, name="saved_view_act"
    ),
    path("lists/", _staff_only(lists.overview), name="lists"),
    path("lists/create/", _form(list_changes.CreateView), name="list_create"),
    path("list/<slug:name>/", _staff_only(lists.entries), name="list"),
    path("list/<slug:name>/add/", _form(list_changes.AddView), name="list_add"),
    path("list/<slug:name>/archive/", _form(list_changes.ArchiveView), name="list_archive"),
    path(
        "list/<slug:name>/remove/<int:position>/",
        _form(list_changes.RemoveView),
        name="list_remove",
    ),
    path(
        f"payments/{uuid('payment_id')}/add-to-list/",
        _form(list_changes.FromPaymentView),
        name="add_to_list",
    ),
    path("disputes/", _staff_only(disputes.due), name="disputes"),
    path("second-reviews/", _staff_only(second_reviews.queue), name="second_reviews"),
    path("exports/", _staff_only(exports.overview), name="exports"),
    path("export/<slug:kind>/", _staff_only(exports.ExportView.as_view()), name="export"),
    path(
        f"export/{uuid('export_id')}/download/",
        _staff_only(exports.download),
        name="export_download",
    ),
    path(f"export/{uuid('export_id')}/cancel/", _staff_only(exports.cancel), name="export_cancel"),
    path("analytics/", _staff_only(analytics.analytics), name="analytics"),
    path("policies/", _staff_only(pages.policy_list), name="policies"),
    path(
        "policies/propose/",
        kept_text.keep_typed_text(_staff_only(proposal.ProposeView.as_view())),
        name="policy_propose",
    ),
    path("policies/<str:policy_id>/", _staff_only(pages.policy_page), name="policy"),
    path("policies/<str:policy_id>/approve/", _proved(decisions.approve), name="policy_approve"),
    path(
        "policies/<str:policy_id>/backtest/",
        _staff_only(backtest_changes.AskView.as_view()),
        name="policy_backtest",
    ),
    path("policies/<str:policy_id>/observe/", _staff_only(shadows.start), name="policy_observe"),
    path(f"shadows/{uuid('shadow_id')}/", _staff_only(shadows.shadow_page), name="shadow"),
    path(f"shadows/{uuid('shadow_id')}/stop/", _staff_only(shadows.stop), name="shadow_stop"),
    path("policies/<str:policy_id>/retire/", _staff_only(decisions.retire), name="policy_retire"),
]
