"""Explain the risk decision on a payment."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from msgspec import ValidationError

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import policies
from payments.application.policies import UnknownPolicy
from payments.domain.payment.state import Payment
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.events import replay
from payments.events.codec import UnknownEventType
from payments.events.reading import streams
from readmodels import labels
from readmodels.management.commands.payment import payment_id_argument
from readmodels.queries import explanation
from readmodels.queries.explanation import Explanation


class Command(BaseCommand):
    help = "Explain why a payment was completed, blocked or sent to review."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Example:\n"
            "  ./manage.py explain 0f7c1e52-...      rules, near misses, and the features at that time\n\n"
            "The explanation uses the payment's own events only. Later changes of the rules or the\n"
            "customer do not affect it. `./manage.py payment ID` shows the history.\n"
            "Exit codes: 0 explained, 1 no such payment, 2 wrong argument."
        )
        parser.add_argument("payment_id", type=payment_id_argument, metavar="ID")

    def handle(self, *_: Any, payment_id: UUID, **__: Any) -> None:
        try:
            history = streams.history(PAYMENT_AGGREGATE, payment_id)
        except (UnknownEventType, ValidationError) as error:
            raise CommandError(str(error)) from error
        events = [record.event for record in history]
        payment = replay.fold(PAYMENT_AGGREGATE, payment_id, events)
        if payment is None:
            raise CommandError(f"There is no payment {payment_id}.")
        policy = None
        if payment.risk is not None:
            with suppress(UnknownPolicy):  # a built-in policy of an older release
                policy = policies.by_id(payment.risk.policy_id)
        explained = explanation.explain(payment, events, policy)
        self.stdout.write("\n".join(_lines(payment, explained, policy)))


def _lines(payment: Payment, explained: Explanation, policy: RiskPolicy | None) -> list[str]:
    lines = [
        f"Payment {payment.payment_id}: {payment.amount.formatted()} by"
        f" {labels.label(payment.method).lower()}, {labels.label(payment.status).lower()}.",
        explained.outcome,
    ]
    for review, order in ((payment.first_approval, " as the first of two"), (payment.review, "")):
        if review is not None:
            decision = "approved" if review.approved else "rejected"
            who = labels.person(review.reviewer)
            lines.append(f"It was {decision} by {who}{order}: {labels.label(review.reason)}.")
    if not explained.policy_id:
        return lines
    for title, details in (
        (f"Score: {explained.score}", explained.fired or ("No rule fired.",)),
        ("Nearly fired", explained.near_misses),
        ("Required of reviewers", explained.requirements),
        ("On lists", tuple(f"{each.list}, version {each.version}" for each in explained.lists)),
        ("Known at that time", explained.features),
    ):
        if details:
            lines += ["", title, *(f"  {detail}" for detail in details)]
    origin = "not in this log" if policy is None else "see ./manage.py policy show"
    if policy == DEFAULT_POLICY:
        origin = "built-in"
    return [*lines, "", f"Risk policy {explained.policy_id} ({origin})."]
