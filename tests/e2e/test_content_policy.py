"""No screen violates the Content Security Policy, which refuses foreign and inline scripts."""

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.mark.parametrize(
    ("path", "content"), [("/api/problems/", "h1"), ("/api/docs/", ".opblock")]
)
def test_pages_of_the_api_do_not_violate_the_policy(desk: Desk, path: str, content: str) -> None:
    """The desk fails on violations. test_accessibility.py opens the back office's pages."""
    desk.open(path)
    expect(desk.page.locator(content).first).to_be_visible()


def test_policy_refuses_inline_and_foreign_scripts(desk: Desk) -> None:
    desk.open("/admin/login/")

    refused = desk.page.evaluate("""
        async () => {
            const found = [];
            const note = (each) => found.push(each.violatedDirective);
            document.addEventListener("securitypolicyviolation", note);
            const inline = document.createElement("script");
            inline.textContent = "window.reached = true";
            const foreign = document.createElement("script");
            foreign.src = "https://foreign.example/x.js";
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(inline, foreign, style);
            await new Promise((done) => setTimeout(done, 300));
            return [found.sort(), Boolean(window.reached)];
        }
    """)

    assert refused == [["script-src-elem", "script-src-elem", "style-src-elem"], False]
    desk.complaints.clear()  # the expected violations


@pytest.mark.parametrize(
    ("path", "evaluates"),
    [("/admin/login/", True), ("/api/problems/", False), ("/api/docs/", False)],
)
def test_policy_allows_evaluation_in_the_back_office_only(path: str, *, evaluates: bool) -> None:
    policy = Client().get(path).headers["Content-Security-Policy"]

    assert ("'unsafe-eval'" in policy) == evaluates
    for directive in (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ):
        assert directive in policy
    assert "unsafe-inline" not in policy
