"""The review desk without a browser: waiting payments, offered buttons, and their requests."""

import itertools
import re
from typing import Any, Final
from uuid import UUID

from django.test import Client as Browser
from django.urls import reverse

from payments import actors
from readmodels.admin.review import actions, seen_position
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import text

QUEUE: Final = "/admin/reviews/"
NEXT: Final = "/admin/reviews/claim-next/"
_NUMBERS: Final = itertools.count(1)
NAMES: Final = [action.name for action in actions.ACTIONS]


def waiting(count: int = 1, **changes: Any) -> list[str]:
    """Submit payments that wait for review. Return their ids in the order of the queue."""
    client, found = ApiClient(), []
    for number in itertools.islice(_NUMBERS, count):
        # A random id could contain the digits of a card number.
        each = {"customer_id": f"newcomer-{number}", "reference": f"order-{number}"}
        found.append(str(body_of(client.submit(**RISKY | each | changes))["id"]))
    project()
    return found


def paid(**changes: Any) -> str:
    return str(body_of(ApiClient().submit(**changes))["id"])


def payment_page(payment: str) -> str:
    return reverse("admin:readmodels_paymentsummary_change", args=[payment])


def at(payment: str, action: str) -> str:
    return reverse(f"admin:payment_{action}", args=[payment])


def buttons(logged_in: Browser, payment: str) -> list[str]:
    """Return the actions that the payment's page offers, in order."""
    html = logged_in.get(payment_page(payment)).content.decode()
    leads = {each.name: "href" if each.has_page else "action" for each in actions.ACTIONS}
    return [name for name in NAMES if f'{leads[name]}="{at(payment, name)}"' in html]


def form(logged_in: Browser, payment: str, action: str, **given: str) -> dict[str, str]:
    """Return the fields that the action's form would send."""
    kind = next(each for each in actions.ACTIONS if each.name == action)
    has_page, reasons = kind.has_page, list(kind.reasons or ())
    html = logged_in.get(
        at(payment, action) if has_page else payment_page(payment)
    ).content.decode()
    key = re.search(r'name="key" value="([^"]+)"', html)
    version = re.search(r'name="version" value="([^"]+)"', html)
    assert key, "there is no such page"
    assert version, "there is no such page"
    author = re.search(r'name="author" value="([^"]+)"', html)
    page = {"seen": seen_by(logged_in, payment)} if has_page else {}
    page |= {"author": author[1]} if author else {}
    reason = {"reason": str(reasons[0])} if reasons else {}
    return {"key": key[1], "version": version[1], **page, **reason, **given}


def seen_by(logged_in: Browser, payment: str) -> str:
    """Return the signed position that a page of the payment would contain now."""
    actor = actors.staff(int(logged_in.session["_auth_user_id"]))
    return seen_position.signed(UUID(payment), actor)


def do(logged_in: Browser, payment: str, action: str, **given: str) -> str:
    """Send the action's form. Return the text of the page that follows."""
    sent = form(logged_in, payment, action, **given)
    return text(logged_in.post(at(payment, action), sent, follow=True))


def next_key(logged_in: Browser, path: str = QUEUE) -> dict[str, str]:
    html = logged_in.get(path).content.decode()
    found = re.search(r'claim-next/[^"]*">.*?name="key" value="([^"]+)"', html, re.DOTALL)
    assert found, "the page has no such button"
    return {"key": found[1]}


def rows(logged_in: Browser, query: str = "") -> list[str]:
    listing: Any = logged_in.get(QUEUE + query).context["cl"]
    return [str(row.pk) for row in listing.result_list]
