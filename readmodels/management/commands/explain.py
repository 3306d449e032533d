"""Says in words why a payment was decided as it was."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from msgspec import ValidationError

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import policies
from payments.application.policies import UnknownPolicy
from payments.domain.payment.state import Payment, replay
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.events import store
from payments.events.codec import UnknownEventType
from readmodels import labels
from readmodels.management.commands.payment import payment_id_argument
from readmodels.queries import explanation
from readmodels.queries.explanation import Explanation


class Command(BaseCommand):
    help = "Say why a payment was completed, refused or made to wait for a person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Example:\n"
            "  ./manage.py explain 0f7c1e52-...      its rules, near misses, and what was known then\n\n"
            "All of it is from the payment's own events: it is as true as on the day of the decision,\n"
            "whatever the rules and the customer are by now. `./manage.py payment ID` tells the history.\n"
            "Exit codes: 0 explained, 1 there is no such payment, 2 an argument is wrong."
        )
        parser.add_argument("payment_id", type=payment_id_argument, metavar="ID")

    def handle(self, *_: Any, payment_id: UUID, **__: Any) -> None:
        try:
            history = store.history(PAYMENT_AGGREGATE, payment_id)
        except (UnknownEventType, ValidationError) as error:
            raise CommandError(str(error)) from error
        events = [record.event for record in history]
        payment = replay(payment_id, events)
        if payment is None:
            raise CommandError(f"There is no payment {payment_id}.")
        policy = None
        if payment.risk is not None:
            with suppress(UnknownPolicy):  # the built-in one of older code
                policy = policies.by_id(payment.risk.policy_id)
        told = explanation.explain(payment, events, policy)
        self.stdout.write("\n".join(_lines(payment, told, policy)))


def _lines(payment: Payment, told: Explanation, policy: RiskPolicy | None) -> list[str]:
    lines = [
        f"Payment {payment.payment_id}: {payment.amount.formatted()} by"
        f" {labels.plain(payment.method).lower()}, {labels.plain(payment.status).lower()}.",
        told.because,
    ]
    for review, which in ((payment.first_approval, " as the first of two"), (payment.review, "")):
        if review is not None:
            decision = "approved" if review.approved else "rejected"
            names = labels.people([review.reviewer])
            who = names.get(review.reviewer, review.reviewer)
            lines.append(f"It was {decision} by {who}{which}: {labels.plain(review.reason)}.")
    if not told.policy_id:
        return lines
    for title, details in (
        (f"Score: {told.score}", told.fired or ("No rule fired.",)),
        ("Nearly fired", told.near_misses),
        ("What the policy asks of reviewers", told.asks),
        ("What was known of the customer", told.known),
    ):
        if details:
            lines += ["", title, *(f"  {detail}" for detail in details)]
    whose = "which the log does not hold" if policy is None else "see ./manage.py policy show"
    if policy == DEFAULT_POLICY:
        whose = "the built-in one"
    return [*lines, "", f"Risk policy {told.policy_id}, {whose}."]
