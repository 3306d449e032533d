"""A launcher of the service for each test that asks for one."""

import shutil
from collections.abc import Iterator

import pytest

from config.stack import place
from tests.e2e.launcher import Launcher, folders
from tests.e2e.service import Service, free_port, whole_service
from tests.support import servers


@pytest.fixture(scope="session")
def shared_service() -> Iterator[Service]:
    """A service for tests that neither stop nor reconfigure it. Other tests' payments may be in it."""
    with whole_service(API_RATE_PER_MINUTE="1000000", REQUEST_LOG_LEVEL="INFO") as running:
        yield running


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    home = servers.own_folder()
    project = home / "project"
    without = shutil.ignore_patterns(".git", ".venv", ".local", "__pycache__", ".*_cache", "tests")
    shutil.copytree(place.PROJECT, project, ignore=without)
    launcher = Launcher(project, free_port())
    yield launcher
    launcher.end()
    for folder in (home, *folders(project)):
        shutil.rmtree(folder, ignore_errors=True)
