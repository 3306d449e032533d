"""A reviewer's browser window on the back office."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, expect

from tests.support.api import RISKY, ApiClient, body_of, project

PASSWORD: Final = "correct horse battery staple"


@dataclass
class Desk:
    """A reviewer's browser window, with the errors that occurred in it."""

    page: Page
    url: str
    client: ApiClient
    payment: str
    scheme: Literal["light", "dark"]
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def log_in(self, username: str = "grace") -> None:
        self.open("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", name="Dashboard")).to_be_visible()
        self.page.wait_for_load_state("networkidle")

    def complain(self, what: str, *, when: bool = True) -> None:
        if when:
            self.complaints.append(what)

    def serves(self, url: str) -> bool:
        return url.startswith((self.url, "data:", "blob:"))

    def press_until(self, text: str) -> None:
        """Press Tab until the focus is on the link, button, field or choice with this text."""
        says = """
            ["A", "BUTTON", "INPUT", "SELECT", "SUMMARY", "TEXTAREA"]
                .includes(document.activeElement.tagName)
            && (document.activeElement.labels?.[0] ?? document.activeElement).innerText
        """
        for _ in range(80):
            self.page.keyboard.press("Tab")
            # The text of an element includes the names of its icons, each on its own line.
            if text in [line.strip() for line in (self.page.evaluate(says) or "").splitlines()]:
                return
        pytest.fail(f"The Tab key never reached {text!r}.")

    def press(self, text: str) -> None:
        """Press the link or button with this text by keyboard, once it is visible."""
        expect(self.page.get_by_text(text, exact=True).first).to_be_visible()
        self.press_until(text)
        self.page.keyboard.press("Enter")


@contextmanager
def opened(chromium: Browser, url: str, scheme: Literal["light", "dark"]) -> Iterator[Desk]:
    """Open a window for a senior reviewer who has not signed in. A payment waits for review."""
    user = get_user_model().objects.create_user("grace", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="senior reviewer"))
    client = ApiClient()
    client.submit()
    payment = body_of(client.submit(**RISKY))["id"]
    project()
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    desk = Desk(page, url, client, payment, scheme)
    page.on("pageerror", lambda error: desk.complain(f"script: {error}"))
    page.on("console", lambda message: desk.complain(message.text, when=message.type == "error"))
    page.on("request", lambda sent: desk.complain(sent.url, when=not desk.serves(sent.url)))
    yield desk
    context.close()
    assert desk.complaints == []


# axe calls these violations moderate. They concern landmarks, headings and skip links.
STRUCTURE: Final = {
    "landmark-main-is-top-level",
    "landmark-no-duplicate-main",
    "landmark-one-main",
    "landmark-unique",
    "page-has-heading-one",
    "region",
    "skip-link",
}


def serious(page: Page, rules: list[str] | None = None) -> list[Any]:
    """Return the violations that are serious or in STRUCTURE. `rules` limits the rules that run."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    response = Axe().run(page, options=options).response
    found = json.loads(json.dumps(response["violations"]))
    return [
        (each["id"], node["html"][:200])
        for each in found
        if each["impact"] in {"serious", "critical"} or each["id"] in STRUCTURE
        for node in each["nodes"]
    ]


def read_aloud_icons(page: Page) -> list[str]:
    """Return the names of icons that screen readers would read aloud, such as "chevron_right"."""
    icons = page.locator(".material-symbols-outlined:visible")
    unhidden: list[str] = icons.evaluate_all(
        "all => all.filter((each) => !each.closest('[aria-hidden=true]')).map((each) => each.innerText)"
    )
    return unhidden


WIDE: Final = 1440
NARROW: Final = 420


def check_accessible(
    desk: Desk, paths: list[str], rules: list[str] | None, widths: tuple[int, ...] = (WIDE, NARROW)
) -> None:
    for path in paths:
        desk.page.set_viewport_size({"width": WIDE, "height": 900})
        desk.open(path)
        check_shown(desk, rules, widths)


def check_shown(
    desk: Desk, rules: list[str] | None, widths: tuple[int, ...] = (WIDE, NARROW)
) -> None:
    """Check the open page on wide and narrow screens. axe runs only at `widths` (in pixels)."""
    desk.page.wait_for_load_state()
    assert read_aloud_icons(desk.page) == [], desk.page.url
    assert desk.page.locator("h1:visible").count() == 1, desk.page.url
    for width in (WIDE, NARROW):
        desk.page.set_viewport_size({"width": width, "height": 900})
        found = serious(desk.page, rules) if width in widths else []
        assert found == [], (desk.page.url, found)
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert desk.page.evaluate(wider) <= 0, f"{desk.page.url} is wider than {width} pixels"


def wider_parts(desk: Desk, paths: list[str]) -> list[Any]:
    """Return the parts of pages whose content is cut off or must be scrolled sideways.

    A list that scrolls is among them, because its last columns are out of sight.
    """
    wider = """
        [...document.querySelectorAll("html, .json, :has(> #result_list), #result_list td")]
            .filter((each) => each.scrollWidth > each.clientWidth + 1
                              || (each.tagName == "TD" && each.scrollHeight > each.clientHeight + 1))
            .map((each) => [each.tagName, each.className.match(/field-\\w+/)?.[0] ?? "",
                            each.scrollWidth, each.clientWidth])
    """
    found = []
    for path in paths:
        desk.open(path)
        for width in (1440, 390):
            desk.page.set_viewport_size({"width": width, "height": 900})
            found += [(path, width, each) for each in desk.page.evaluate(wider)]
    return found
