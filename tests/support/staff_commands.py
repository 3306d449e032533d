"""Staff commands that an actor gives to subjects that do not exist."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from msgspec.structs import replace

from payments.application import (
    corrections,
    disputes,
    list_files,
    lists,
    note_taking,
    policies,
    reveals,
    review,
    second_reviews,
)
from payments.application.dispatch import CommandContext
from payments.clients import keys
from payments.clients.models import ApiKey, Client, Scope
from payments.customers import blocking, changes, erasure
from payments.customers.models import Customer
from payments.domain.customer import BlockReason, UnblockReason
from payments.domain.list_items import Item
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import AnyDisputeCommand, AnyReviewCommand
from payments.domain.reveal import Purpose
from payments.domain.risk.policy import DEFAULT_POLICY, RiskPolicy
from payments.domain.risk.register import ApprovePolicy, AttachBacktest, ProposePolicy, RetirePolicy
from payments.domain.second_review import Severity
from payments.identity import resets
from payments.identity.models import Reason
from readmodels.engine import parking
from readmodels.evidence import gathering
from readmodels.projections import daily_statistics
from readmodels.rebuild.runs import requests as rebuilds
from readmodels.staff import changes as staff_changes
from readmodels.staff.changes import Person
from tests.support import example_commands
from tests.support.examples import NOON, OPERATOR
from tests.support.lists import AUTHOR, STOLEN
from tests.support.policies import BACKTEST

POLICY = RiskPolicy.of(replace(DEFAULT_POLICY.document, high_from=99))


class LetThrough(Exception):
    """The command passed its permission check and was carried out."""


def approve(by: str) -> None:
    carry_out(example_commands.approve, by)


def reject(by: str) -> None:
    carry_out(example_commands.reject, by)


def claim(by: str) -> None:
    carry_out(example_commands.claim, by)


def release(by: str) -> None:
    carry_out(example_commands.release, by)


def escalate(by: str) -> None:
    carry_out(example_commands.escalate, by)


def carry_out(command: Callable[..., AnyReviewCommand], by: str) -> None:
    review.handle(command(payment_id=uuid4()), CommandContext(actor=by))


def cancel(by: str) -> None:
    corrections.handle(
        example_commands.cancel(payment_id=uuid4(), client_id=None), CommandContext(actor=by)
    )


def refund(by: str) -> None:
    corrections.handle(
        example_commands.refund(payment_id=uuid4(), client_id=None), CommandContext(actor=by)
    )


def add_note(by: str) -> None:
    note_taking.add(uuid4(), "Called back.", CommandContext(actor=by), at=NOON)


def open_dispute(by: str) -> None:
    dispute(example_commands.open_dispute, by)


def update_dispute(by: str) -> None:
    dispute(example_commands.update_dispute, by)


def respond_to_dispute(by: str) -> None:
    dispute(example_commands.respond_to_dispute, by)


def close_dispute(by: str) -> None:
    dispute(example_commands.close_dispute, by)


def record_notices(by: str) -> None:
    notice = example_commands.open_dispute(payment_id=uuid4(), client_id=None)
    disputes.record_all([notice], CommandContext(actor=by))
    raise LetThrough


def dispute(command: Callable[..., AnyDisputeCommand], by: str) -> None:
    disputes.handle(command(payment_id=uuid4(), client_id=None), CommandContext(actor=by))


def claim_next(by: str) -> None:
    review.claim_next(client_id=None, at=NOON, context=CommandContext(actor=by))
    raise LetThrough


def conclude_second_review(by: str) -> None:
    reason, severity = ApprovalReason.KNOWN_CUSTOMER, Severity.MINOR
    second_reviews.conclude(uuid4(), reason=reason, severity=severity, note=None, by=by, at=NOON)


def reveal(by: str) -> None:
    reveals.reveal(uuid4(), purpose=Purpose.CHARGEBACK, note=None, by=by, at=NOON, key=uuid4())


def retry(by: str) -> None:
    parking.retry(daily_statistics.PROJECTION, uuid4(), by=by)


def discard(by: str) -> None:
    parking.discard(daily_statistics.PROJECTION, 1, reason="Entered twice", by=by, at=NOON)


def request_rebuild(by: str) -> None:
    rebuilds.request(["review_day"], by=by, at=NOON)
    raise LetThrough


def confirm_rebuild(by: str) -> None:
    rebuilds.confirm(uuid4(), digest="", by=by, at=NOON)


def cancel_rebuild(by: str) -> None:
    rebuilds.cancel(uuid4(), by=by, at=NOON)


def restart_rebuild(by: str) -> None:
    rebuilds.restart(uuid4(), by=by, at=NOON)


def rename(by: str) -> None:
    changes.rename(uuid4(), {"name": "Ada Ng"}, by=by)


def block(by: str) -> None:
    blocking.change(uuid4(), reason=BlockReason.CHARGEBACKS, note="Case 12", by=by, at=NOON)


def unblock(by: str) -> None:
    blocking.change(uuid4(), reason=UnblockReason.CLEARED, note="Case 12", by=by, at=NOON)


def make_key(by: str) -> None:
    keys.create(Client.objects.create(name=f"Acme {uuid4()}"), [Scope.PAYMENTS_READ], by=by)
    raise LetThrough


def rotate_key(by: str) -> None:
    keys.rotate(key(), at=NOON, old_until=NOON, by=by)
    raise LetThrough


def revoke_key(by: str) -> None:
    keys.revoke(key(), at=NOON, by=by)
    raise LetThrough


def key() -> ApiKey:
    client = Client.objects.create(name=f"Acme {uuid4()}")
    return keys.create(client, [Scope.PAYMENTS_READ], by=OPERATOR)[0]


def erase(by: str) -> None:
    given: dict[str, Any] = {"reference": "customer-123", "reason": "Case 12", "at": NOON}
    list(erasure.erase(customer(), by=by, **given))
    raise LetThrough


def erase_file(by: str) -> None:
    erasure.erase_file(Path("nowhere.csv"), customer(), reference="customer-123", by=by)


def customer() -> Customer:
    client = Client.objects.create(name=f"Acme {uuid4()}")
    return Customer.objects.create(pk=uuid4(), client=client, reference="customer-123")


def propose_policy(by: str) -> None:
    policies.handle(ProposePolicy(policy=POLICY, at=NOON, by=by))
    raise LetThrough


def attach_backtest(by: str) -> None:
    policies.handle(AttachBacktest(policy_id="none", backtest=BACKTEST, at=NOON, by=by))


def approve_policy(by: str) -> None:
    policies.handle(ApprovePolicy(policy_id="none", at=NOON, by=by))


def retire_policy(by: str) -> None:
    policies.handle(RetirePolicy(policy_id="none", at=NOON, by=by))


def create_list(by: str) -> None:
    lists.create(STOLEN, Item.COUNTRY, replace(AUTHOR, by=by))
    raise LetThrough


def archive_list(by: str) -> None:
    lists.archive(STOLEN, replace(AUTHOR, by=by))


def add_entries(by: str) -> None:
    lists.add(STOLEN, ["DE"], replace(AUTHOR, by=by))


def add_lines(by: str) -> None:
    list(list_files.add(STOLEN, Item.COUNTRY, ["DE"], replace(AUTHOR, by=by)))


def remove_entry(by: str) -> None:
    lists.remove(STOLEN, "DE", replace(AUTHOR, by=by))


def ask_reset(by: str) -> None:
    colleague = get_user_model()(pk=99_999_999, username="zoe")
    resets.ask(colleague, Reason.LOST, by=by, at=NOON)


def approve_reset(by: str) -> None:
    resets.approve(uuid4(), by=by, at=NOON)


def decline_reset(by: str) -> None:
    resets.decline(uuid4(), by=by, at=NOON)


def add_person(by: str) -> None:
    newcomer = Person(
        username="zoe", first_name="", last_name="", role="viewer", password="correct horse battery"
    )
    staff_changes.add(newcomer, by=by)
    raise LetThrough


def change_role(by: str) -> None:
    staff_changes.change_role(colleague(), "analyst", by=by)
    raise LetThrough


def deactivate(by: str) -> None:
    staff_changes.set_active(colleague(), active=False, by=by)
    raise LetThrough


def set_name(by: str) -> None:
    staff_changes.set_name(colleague(), first_name="Zoe", last_name="", by=by)
    raise LetThrough


def set_password(by: str) -> None:
    staff_changes.set_password(colleague(), "correct horse battery", by=by)
    raise LetThrough


def delete_person(by: str) -> None:
    staff_changes.delete(colleague(), by=by)
    raise LetThrough


def colleague() -> Any:
    return get_user_model().objects.get_or_create(username="zoe", is_staff=True)[0]


def export_evidence(by: str) -> None:
    gathering.make(uuid4(), decision=None, reason="Case 7.", by=by, at=NOON)
