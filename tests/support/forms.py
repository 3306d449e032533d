"""What a browser would send for the forms of a page."""

from html.parser import HTMLParser
from typing import Any


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.select = self.textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag, given.get("type"):
            case "input", "submit":
                pass
            case "input", "checkbox" | "radio":
                if "checked" in given:
                    self.found[given["name"]] = given["value"]
            case "input", _:
                self.found[given["name"]] = given.get("value", "")
            case "select", _:
                self.select = given["name"]
            case "option", _:
                if self.select and ("selected" in given or self.select not in self.found):
                    self.found[self.select] = given["value"]
            case "textarea", _:
                self.textarea = given["name"]
                self.found[self.textarea] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""
        if tag == "textarea":
            self.found[self.textarea] = self.found[self.textarea].removeprefix("\n")
            self.textarea = ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.found[self.textarea] += data


def form_fields(answer: Any) -> dict[str, str]:
    """Return the values of the page's form fields by name, without buttons and the CSRF token."""
    parser = _Fields()
    parser.feed(answer.content.decode())
    parser.found.pop("csrfmiddlewaretoken", None)
    return parser.found
