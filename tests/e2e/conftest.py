"""A launcher of the service for each test that asks for one."""

import shutil
from collections.abc import Iterator

import pytest

from config.stack import place
from tests.e2e.launcher import Launcher, folders
from tests.e2e.service import free_port
from tests.support import servers


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
