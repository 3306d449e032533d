"""The addresses of /api/v1/."""

from typing import Final

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from payments.api.views import ApprovePayment, CancelPayment, RefundPayment, RejectPayment
from readmodels.api import views


class _AnyText(StringConverter):
    """Slashes and line breaks too: what is wrong with a text is told by who reads it, not by a 404."""

    regex = "(?s:.+)"


register_converter(_AnyText, "any_text")

urlpatterns: Final[list[URLPattern]] = [
    path("payments", views.Payments.as_view(), name="payments"),
    path("payments/<uuid:payment_id>", views.OnePayment.as_view(), name="payment"),
    path("payments/<uuid:payment_id>/events", views.PaymentEvents.as_view(), name="payment-events"),
    path("payments/<uuid:payment_id>/state", views.PaymentState.as_view(), name="payment-state"),
    path("payments/<uuid:payment_id>/approve", ApprovePayment.as_view(), name="payment-approve"),
    path("payments/<uuid:payment_id>/reject", RejectPayment.as_view(), name="payment-reject"),
    path("payments/<uuid:payment_id>/cancel", CancelPayment.as_view(), name="payment-cancel"),
    path("payments/<uuid:payment_id>/refunds", RefundPayment.as_view(), name="payment-refunds"),
    path(
        "customers/<any_text:reference>/payments",
        views.CustomerPayments.as_view(),
        name="customer-payments",
    ),
    path("statistics/daily", views.Daily.as_view(), name="daily-statistics"),
    path("projections", views.Projections.as_view(), name="projections"),
]
