"""Real servers for the whole run, and servers to break for those tests that break them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db.models.signals import post_migrate

from config.stack import processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import clusters, servers

# A service that `make run` has started in this checkout is none of the tests' business.
processes.mark_as("tests")
# Playwright runs an event loop beside the tests, which Django takes for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="torture for minutes instead of seconds")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        processes.end_orphans()
        for server in (servers.postgres(), servers.valkey()):
            server.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        for server in (servers.valkey(), servers.postgres()):
            server.stop()
        shutil.rmtree(servers.postgres().folder, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """With permissions made once: after each flush Django would look again which of them are missing."""
    post_migrate.receivers.clear()
    post_migrate.sender_receivers_cache.clear()


@pytest.fixture
def long(pytestconfig: pytest.Config) -> bool:
    """Whether there is time for more than a quick look."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(autouse=True)
def _empty_valkey(request: pytest.FixtureRequest) -> None:
    """Wake-ups and rate limits of one test are nothing to the next."""
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        import redis
        from django.conf import settings

        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Run a cluster to kill, freeze and restart, with the service's tables and with fsync."""
    with clusters.cluster() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """Run a Valkey to kill, freeze and restart."""
    with clusters.valkey() as server:
        yield server
