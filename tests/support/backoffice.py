"""Users of the back office with their roles, and the text of its pages."""

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser


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
