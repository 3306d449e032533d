"""The files that a POST passes through, and the calls between the write side and the read side."""

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from django.conf import settings
from msgspec import Struct

from tests.support.api import BODY, PAYMENTS, RISKY, ApiClient

pytestmark = pytest.mark.django_db(transaction=True)

MOST_FILES: Final = 30
ROOT: Final[Path] = settings.BASE_DIR
PACKAGES: Final = tuple(f"{ROOT / package}/" for package in ("config", "payments", "readmodels"))
README: Final = ROOT / "README.md"
# The write side reaches the read side only by the port for risk features and a signal.
CROSSINGS: Final = {
    ("payments/application/submission.py", "readmodels/queries/risk_features.py"),
    ("payments/events/replay.py", "readmodels/engine/wakeups.py"),
}
# Both sides use this module for their SQL, so calls to it are no crossings.
SHARED: Final = {"payments/database.py"}


class Call(Struct, frozen=True):
    """A call between functions of the project, by their files. `caller` may be empty."""

    caller: str
    called: str


@contextmanager
def traced() -> Iterator[list[Call]]:
    """Yield a list. Once the block has ended, the list has the block's calls."""
    calls: list[Call] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not is_ours(frame):
            return
        caller = frame.f_back
        while caller is not None and not is_ours(caller):
            caller = caller.f_back
        calls.append(Call("" if caller is None else path_of(caller), path_of(frame)))

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(PACKAGES)


def path_of(frame: FrameType) -> str:
    return Path(frame.f_code.co_filename).relative_to(ROOT).as_posix()


def submit(client: ApiClient, body: dict[str, Any]) -> str:
    """Send the body through the WSGI application, and return the status line of the answer."""
    from config.wsgi import application  # reads the database

    data = json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PAYMENTS,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_AUTHORIZATION": f"Bearer {client.token}",
        "HTTP_IDEMPOTENCY_KEY": body["reference"],
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(data),
    }
    statuses: list[str] = []
    answer: Any = application(environ, lambda status, _headers: statuses.append(status))
    answer.close()
    return statuses[0]


@pytest.fixture
def walk() -> list[Call]:
    """Return the calls of a client's first risky payment. The client's key is cached before."""
    acme = ApiClient("Acme")
    submit(acme, BODY | {"customer_id": "customer-1", "reference": "order-1"})

    with traced() as calls:
        status = submit(acme, RISKY)

    assert status == "201 Created"
    return calls


def test_post_passes_the_files_that_the_readme_lists(walk: list[Call]) -> None:
    section = README.read_text().partition("## The walk of one payment")[2]

    passed = list(dict.fromkeys(call.called for call in walk))

    assert passed == re.findall(r"^\d+\. `(\S+\.py)` \w", section, re.MULTILINE)
    assert len(passed) <= MOST_FILES


def test_post_changes_sides_only_through_ports_and_the_signal(walk: list[Call]) -> None:
    crossings = {
        (call.caller, call.called)
        for call in walk
        if is_read_side(call.caller) is not is_read_side(call.called) and call.called not in SHARED
    }

    assert crossings == CROSSINGS


def is_read_side(path: str) -> bool:
    return path.startswith("readmodels/")
