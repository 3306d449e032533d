"""The responses to commands on disputes."""

from typing import Annotated

from django.http import HttpResponse
from msgspec import Meta, structs

from payments.api.dispute_view import DisputeView
from payments.api.representation import PaymentView, json_response, outcome_headers, view_of
from payments.application.dispatch import Outcome
from payments.domain.payment.disputes import find


class DisputedPayment(PaymentView, frozen=True, kw_only=True):
    """The payment and the dispute after the command."""

    dispute: Annotated[DisputeView, Meta(description="The dispute after the command.")]


def dispute_response(
    outcome: Outcome, dispute_id: str, *, customer_reference: str | None
) -> HttpResponse:
    """Return the response to a command on a dispute. A repetition gets the same response."""
    dispute = find(outcome.payment.disputes, dispute_id)
    assert dispute is not None, "the outcome is the payment after the command"  # noqa: S101
    view = structs.asdict(view_of(outcome, customer_reference))
    body = DisputedPayment(**view, dispute=DisputeView.of(dispute))
    return json_response(body, outcome_headers(outcome))
