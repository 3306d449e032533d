"""The servers that all tests of a run share, and servers that a test may break."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db.models.signals import post_migrate
from hypothesis import settings

from config.stack import processes
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey
from tests.support import clusters, servers

# Without their own mark, the tests would end the processes of a `make run` in this checkout.
processes.mark_as("tests")
# Playwright runs an event loop, so Django would refuse synchronous database access.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
# An example of hypothesis may take longer than usual while other processes use the CPU.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run concurrency tests for minutes instead of seconds"
    )


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
    """Create permissions once. Otherwise Django would look for missing ones after each flush."""
    post_migrate.receivers.clear()
    post_migrate.sender_receivers_cache.clear()


@pytest.fixture
def long(pytestconfig: pytest.Config) -> bool:
    """Return whether `--long` was given, which lets tests take minutes."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(autouse=True)
def _empty_valkey(request: pytest.FixtureRequest) -> None:
    """Remove the wake-ups and rate limits that the previous test left."""
    if {"db", "transactional_db", "live_server"} & set(request.fixturenames):
        import redis
        from django.conf import settings

        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Run a cluster with the service's tables and fsync, which the test may kill and restart."""
    with clusters.cluster() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """Run a Valkey that the test may kill, freeze and restart."""
    with clusters.valkey() as server:
        yield server
