"""The addresses of screens that belong to no model, below /admin/.

The pages of a model and their buttons are in `get_urls` of its admin.
"""

from django.contrib import admin
from django.urls import path

from readmodels.admin.base import kept_text
from readmodels.admin.policies import decisions, pages, proposal
from readmodels.admin.review import queue

_staff_only = admin.site.admin_view

urlpatterns = [
    path("login/", kept_text.sign_in),
    path("reviews/", _staff_only(queue.queue), name="review_queue"),
    path("reviews/claim-next/", _staff_only(queue.claim_next), name="claim_next"),
    path("policies/", _staff_only(pages.policy_list), name="policies"),
    path(
        "policies/propose/",
        kept_text.keep_typed_text(_staff_only(proposal.ProposeView.as_view())),
        name="policy_propose",
    ),
    path("policies/<str:policy_id>/", _staff_only(pages.policy_page), name="policy"),
    path(
        "policies/<str:policy_id>/approve/", _staff_only(decisions.approve), name="policy_approve"
    ),
    path("policies/<str:policy_id>/retire/", _staff_only(decisions.retire), name="policy_retire"),
]
