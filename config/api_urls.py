"""The URLs below /api/v1/: commands go to the write side, queries to the read side."""

from typing import ClassVar, Final

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from payments.api import reviews
from payments.api.disputes import views as disputes
from payments.api.http.paths import uuid
from payments.api.views import CancelPayment, RefundPayment, SubmitPayment
from readmodels.api import disputes as read_disputes, feed, key, views
from readmodels.api.backtests import views as backtests
from readmodels.api.webhooks import views as webhooks


class _AnyText(StringConverter):
    """Match slashes and line breaks too, so that the view can report an invalid value."""

    regex = "(?s:.+)"


register_converter(_AnyText, "any_text")


class Payments(views.ListPayments, SubmitPayment):
    """GET lists the client's payments, POST submits one."""

    scopes: ClassVar = views.ListPayments.scopes | SubmitPayment.scopes


class Refunds(views.PaymentRefunds, RefundPayment):
    """GET lists the refunds of a payment, POST makes one."""

    scopes: ClassVar = views.PaymentRefunds.scopes | RefundPayment.scopes


_PAYMENT: Final = f"payments/{uuid('payment_id')}"
_DISPUTE: Final = f"{_PAYMENT}/disputes/<any_text:dispute_id>"
_BACKTEST: Final = f"backtests/{uuid('backtest_id')}"
_ENDPOINT: Final = f"webhook-endpoints/{uuid('endpoint_id')}"

urlpatterns: Final[list[URLPattern]] = [
    path("payments", Payments.as_view(), name="payments"),
    path(_PAYMENT, views.OnePayment.as_view(), name="payment"),
    path(f"{_PAYMENT}/events", views.PaymentEvents.as_view(), name="payment-events"),
    path(f"{_PAYMENT}/state", views.PaymentState.as_view(), name="payment-state"),
    *(
        path(f"{_PAYMENT}/{command}", view.as_view(), name=f"payment-{command}")
        for command, view in {
            "claim": reviews.ClaimReview,
            "release": reviews.ReleaseReview,
            "escalate": reviews.EscalateReview,
            "approve": reviews.ApprovePayment,
            "reject": reviews.RejectPayment,
        }.items()
    ),
    path("reviews/claim-next", reviews.ClaimNext.as_view(), name="claim-next"),
    path(f"{_PAYMENT}/cancel", CancelPayment.as_view(), name="payment-cancel"),
    path(f"{_PAYMENT}/refunds", Refunds.as_view(), name="payment-refunds"),
    path(f"{_PAYMENT}/disputes", disputes.OpenDispute.as_view(), name="payment-disputes"),
    *(
        path(f"{_DISPUTE}/{command}", view.as_view(), name=f"dispute-{command}")
        for command, view in {
            "update": disputes.UpdateDispute,
            "respond": disputes.RespondToDispute,
            "close": disputes.CloseDispute,
        }.items()
    ),
    path(
        "customers/<any_text:customer_id>/payments",
        views.CustomerPayments.as_view(),
        name="customer-payments",
    ),
    path("disputes", read_disputes.ListDisputes.as_view(), name="disputes"),
    path("events", feed.Events.as_view(), name="events"),
    path("event-types", feed.EventTypes.as_view(), name="event-types"),
    path("webhook-endpoints", webhooks.Endpoints.as_view(), name="webhook-endpoints"),
    path(_ENDPOINT, webhooks.OneEndpoint.as_view(), name="webhook-endpoint"),
    *(
        path(f"{_ENDPOINT}/{last}", view.as_view(), name=f"webhook-endpoint-{last}")
        for last, view in {
            "rotate-secret": webhooks.RotateSecret,
            "pause": webhooks.Pause,
            "resume": webhooks.Resume,
            "test": webhooks.Test,
            "replay": webhooks.Replay,
            "attempts": webhooks.Attempts,
            "held": webhooks.Held,
        }.items()
    ),
    path("webhook-keys", webhooks.Keys.as_view(), name="webhook-keys"),
    path("policies", backtests.Policies.as_view(), name="policies"),
    path("policies/<any_text:policy_id>", backtests.OnePolicy.as_view(), name="policy"),
    path("backtests", backtests.Backtests.as_view(), name="backtests"),
    path(_BACKTEST, backtests.OneBacktest.as_view(), name="backtest"),
    path(f"{_BACKTEST}/cancel", backtests.CancelBacktest.as_view(), name="backtest-cancel"),
    path("statistics/daily", views.Daily.as_view(), name="daily-statistics"),
    path("key", key.Key.as_view(), name="key"),
    path("projections", views.Projections.as_view(), name="projections"),
]
