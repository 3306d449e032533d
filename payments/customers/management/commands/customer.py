"""Show, rename, block or unblock a customer."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments import actors
from payments.customers import blocking, changes, registry
from payments.customers.contacts import LENGTHS, ContactError
from payments.customers.models import Blocking, Customer, Note
from payments.customers.registry import CustomerError
from payments.domain.customer import BlockReason, UnblockReason
from payments.domain.text import TextError


class Command(BaseCommand):
    help = "Show a client's customer, change its name or contacts, block or unblock it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = (
            "Examples:\n"
            "  ./manage.py customer show 'Acme Ltd' customer-123\n"
            "  ./manage.py customer rename 'Acme Ltd' customer-123 --phone '+49 151 23456789'\n"
            "  ./manage.py customer rename 'Acme Ltd' customer-123 --email ''     clear the e-mail address\n"
            "  ./manage.py customer block 'Acme Ltd' customer-123 --reason chargebacks --note 'Case 12'\n"
            "  ./manage.py customer unblock 'Acme Ltd' customer-123 --reason cleared --note 'Case 12'\n\n"
            "CLIENT is the client's name or id, REFERENCE the client's own id of the customer.\n"
            "A block takes effect with the next payment, which fails under the built-in policy.\n"
            "./manage.py erase_customer removes personal data.\n\n"
            "Exit status: 0 done, 1 not done (no such customer, already blocked), 2 invalid argument."
        )
        actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
        for name, explanation in (
            ("show", "print the customer"),
            ("rename", "change name and contacts"),
            ("block", "block its payments from the next one on"),
            ("unblock", "admit its payments from the next one on"),
        ):
            action = actions.add_parser(name, help=explanation)
            action.add_argument("client", metavar="CLIENT")
            action.add_argument("reference", metavar="REFERENCE")
            if name == "rename":
                for field in LENGTHS:
                    action.add_argument(f"--{field}", help="pass '' to clear it")
            elif name != "show":
                accepted = ", ".join(BlockReason if name == "block" else UnblockReason)
                action.add_argument("--reason", required=True, metavar="CODE", help=accepted)
                action.add_argument(
                    "--note", required=True, help="shown to staff, can be erased; no card numbers"
                )

    def handle(self, *_: Any, action: str, client: str, reference: str, **options: Any) -> None:
        try:
            customer = registry.find(client, reference)
            match action:
                case "rename":
                    self._rename(customer, options)
                case "block" | "unblock":
                    blocking.change(
                        customer.pk,
                        reason=_reason(action, options["reason"]),
                        note=options["note"],
                        by=actors.operator(),
                        at=timezone.now(),
                    )
        except CustomerError as error:
            raise CommandError(str(error)) from error
        except ContactError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=2) from error
        except TextError as error:
            raise CommandError(f"--note: {error}", returncode=2) from error
        customer.refresh_from_db()
        self._show(customer)

    def _rename(self, customer: Customer, options: dict[str, Any]) -> None:
        given = {field: options[field] for field in LENGTHS if options[field] is not None}
        if not given:
            raise CommandError("Give --name, --email or --phone.", returncode=2)
        changes.rename(customer.pk, given, by=actors.operator())

    def _show(self, customer: Customer) -> None:
        unknown = "not known" if customer.erased_at is None else "erased"
        for name, value in (
            ("Customer", str(customer.pk)),
            ("Client", customer.client.name),
            ("Reference", customer.reference or unknown),
            ("Name", customer.name or unknown),
            ("E-mail", customer.email or unknown),
            ("Telephone", customer.phone or unknown),
            ("First seen", f"{customer.created_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Blocked", "yes" if customer.blocked else "no"),
        ):
            self.stdout.write(f"{name:<12}{value}")
        if customer.erased_at is not None:
            self.stdout.write(
                f"{customer.erased_at:%Y-%m-%d %H:%M:%S} UTC erased by {customer.erased_by}:"
                f" {customer.erasure_reason or 'the reason was erased too'}"
            )
        latest = Blocking.objects.filter(customer=customer).order_by("-at", "-pk")[:5]
        written = Note.objects.in_bulk([each.note_id for each in latest if each.note_id])
        for each in latest:
            note = written[each.note_id].text if each.note_id in written else "note erased"
            self.stdout.write(
                f"{each.at:%Y-%m-%d %H:%M:%S} UTC {each} by {each.actor}: {each.reason}, {note}"
            )


def _reason(action: str, code: str) -> BlockReason | UnblockReason:
    """Return the reason for a code. Raises CommandError, which does not repeat a typed card number."""
    reasons = BlockReason if action == "block" else UnblockReason
    try:
        return reasons(code)
    except ValueError:
        accepted = ", ".join(reasons)
        raise CommandError(f"--reason: Choose one of {accepted}.", returncode=2) from None
