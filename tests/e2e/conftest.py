"""Services and launchers that end-to-end tests share."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tests.e2e import chromium as chromium_browser, desk as desks
from tests.e2e.launcher import Launcher, launcher_in_a_copy
from tests.e2e.service import Service, whole_service


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Service]:
    """A service for tests that neither stop nor reconfigure it. It may hold others' payments."""
    with whole_service(API_RATE_PER_MINUTE="1000000") as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_browser.running() as browser:
        yield browser


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """A launcher that starts quickly, with a prepared database and without demo data."""
    with launcher_in_a_copy() as launcher:
        launcher.prepare()
        yield launcher


@pytest.fixture
def new_launcher() -> Iterator[Launcher]:
    """A launcher in a new checkout. Its first start makes the cluster, tables and demo data."""
    with launcher_in_a_copy(demo=True) as launcher:
        yield launcher


@pytest.fixture
def desk(
    request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer
) -> Iterator[desks.Desk]:
    """The window of a reviewer who has not signed in. The parameter is the color scheme."""
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    with desks.opened(chromium, live_server.url, scheme) as desk:
        yield desk
