"""The outcome of a bulk action for each payment. It comes from the log, so reloading is safe."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.domain.payment.state import Payment
from payments.events import replay
from payments.events.reading import streams
from readmodels import labels
from readmodels.admin.review import actions, meanwhile
from readmodels.admin.review.actions import ANY_ASSIGNEE, Action, Person
from readmodels.admin.review.bulk.forms import assignee_of
from readmodels.admin.review.bulk.items import PARTICIPLES, Item, examine
from readmodels.admin.review.bulk.selection import Selection

_CHANGED = "Changed after the preview. Nothing was done."
_NOT_DONE = "Not done yet. Preview it again to finish."


class Outcome(Struct, frozen=True, kw_only=True):
    """The outcome for a payment. `can_repeat`: nothing but an interruption stopped the action."""

    item: Item
    text: str
    is_done: bool = False
    can_repeat: bool = False

    @property
    def payment_id(self) -> UUID:
        return self.item.payment.payment_id


def outcomes(chosen: Selection, person: Person, at: datetime) -> list[Outcome]:
    """Return the outcome for each payment of the selection. Takes at most six queries."""
    histories = streams.histories(PAYMENT_AGGREGATE, chosen.versions)
    assignee = ANY_ASSIGNEE if chosen.to is None else assignee_of(chosen.to)
    items = examine(chosen.action, list(_payments(histories)), person, at, assignee=assignee)
    to = labels.person(assignee.actor) if chosen.to and assignee.actor else ""
    return [_outcome(chosen, each, histories[each.payment.payment_id], to=to) for each in items]


def _payments(histories: dict[UUID, list[HistoricPaymentEvent]]) -> Iterator[Payment]:
    for payment_id, history in histories.items():
        events = (record.event for record in history)
        payment = replay.fold(PAYMENT_AGGREGATE, payment_id, events)
        assert payment is not None, "the preview has shown it"  # noqa: S101
        yield payment


def _outcome(
    chosen: Selection, item: Item, history: list[HistoricPaymentEvent], *, to: str
) -> Outcome:
    since = chosen.versions[item.payment.payment_id]
    if any(_is_of(chosen, record) for record in history):
        return Outcome(item=item, text=_done(chosen, item.payment, to), is_done=True)
    if item.obstacle:
        return Outcome(item=item, text=item.obstacle)
    if not meanwhile.is_harmless(record for record in history if record.version > since):
        return Outcome(item=item, text=_CHANGED)
    return Outcome(item=item, text=_NOT_DONE, can_repeat=True)


def _is_of(chosen: Selection, record: HistoricPaymentEvent) -> bool:
    about = record.metadata
    return (about.correlation_id, about.actor) == (chosen.correlation_id, chosen.actor)


def _done(chosen: Selection, payment: Payment, to: str) -> str:
    action: Action = chosen.action
    lease = payment.lease
    if action is actions.CLAIM and lease is not None and lease.reviewer == chosen.actor:
        return f"Claimed until {lease.until:%H:%M} UTC"
    if action is actions.ASSIGN:
        return f"Assigned to {to}" if to else "No longer assigned"
    return PARTICIPLES[action.name].capitalize()
