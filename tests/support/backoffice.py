"""Back-office users with roles, and the text of back-office pages."""

import re
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import reverse


def browser(role: str = "senior reviewer", username: str = "grace") -> Browser:
    """Return the signed-in browser of a new user."""
    user = get_user_model().objects.create(username=username, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    logged_in = Browser()
    logged_in.force_login(user)
    return logged_in


def text(answer: Any) -> str:
    """Return the page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def reveal(person: Browser, customer_id: UUID, **changes: str) -> Any:
    """Send the form that reveals the customer's personal data, with `changes` to its fields."""
    form = {"key": str(uuid4()), "purpose": "call_with_customer", "note": ""}
    return person.post(reverse("admin:customer_reveal", args=[customer_id]), form | changes)
