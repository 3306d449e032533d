"""Connections that the server ends while they are idle, and databases with unusual defaults."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import InternalError, OperationalError, connection, transaction
from django.test import Client as Browser

from config.postgresql.session import options
from payments.database import cursor, execute, separate_connection
from tests.support import servers
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.concurrency import dsn, session
from tests.support.poolers import pooler, transaction_pooler
from tests.support.roundtrips import round_trips

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def terminate(*, wait: bool = True) -> None:
    """End this thread's connection, as an administrator, a restart or an idle timeout does."""
    pid = connection.connection.info.backend_pid
    with session() as other:
        other.execute("SELECT pg_terminate_backend(%s, %s)", [pid, 5_000 if wait else 0])


def with_execute() -> None:
    assert execute("SELECT 1") == [(1,)]


def with_cursor() -> None:
    with cursor() as cur:
        assert cur.execute("SELECT 1").fetchone() == (1,)


def with_the_orm() -> None:
    assert User.objects.count() == 0


def in_a_transaction() -> None:
    with transaction.atomic():
        with_execute()


@pytest.mark.parametrize("use", [with_execute, with_cursor, with_the_orm, in_a_transaction])
def test_idle_connection_ended_by_the_server_is_replaced(use: Callable[[], None]) -> None:
    use()
    terminate()
    use()


def test_connection_check_costs_no_round_trip() -> None:
    with_execute()
    with round_trips() as counted:
        with_execute()
    assert counted.count == 1


def test_messages_to_an_idle_connection_do_not_close_it() -> None:
    """The server sends notices and changed settings at any time, even to idle connections."""
    with_execute()
    pid = connection.connection.info.backend_pid
    with session() as other:
        other.execute("ALTER SYSTEM SET default_transaction_read_only = off")
        other.execute("SELECT pg_reload_conf()")
        other.execute("ALTER SYSTEM RESET default_transaction_read_only")
        other.execute("SELECT pg_reload_conf()")
    with_execute()

    assert connection.connection.info.backend_pid == pid


def test_transaction_with_a_lost_connection_fails() -> None:
    """Retrying the statement would lose the earlier ones of the transaction."""
    with pytest.raises(OperationalError), transaction.atomic():
        with_execute()
        terminate()
        with_execute()
    with_execute()


def test_statement_that_reached_the_server_is_not_repeated() -> None:
    with session() as other:
        other.execute("CREATE TABLE counted (number int)")
    try:
        ending = threading.Timer(0.5, terminate_sleepers)
        ending.start()
        with pytest.raises(OperationalError):
            execute(
                "WITH slept AS MATERIALIZED (SELECT pg_sleep(20))"
                " INSERT INTO counted SELECT 1 FROM slept"
            )
        ending.join()
        with_execute()
        assert execute("SELECT count(*) FROM counted") == [(0,)]
    finally:
        connection.close()
        with session() as other:
            other.execute("DROP TABLE counted")


def terminate_sleepers() -> None:
    with session() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        )


def test_request_succeeds_after_its_connection_was_ended() -> None:
    client = ApiClient()
    assert client.submit().status_code == 201
    for _ in range(3):
        terminate()
        assert client.submit().status_code == 201
        terminate()
        assert client.get(PAYMENTS).status_code == 200
        terminate()
        assert Browser().get("/readyz").status_code == 200
        terminate()
        assert Browser().get("/admin/login/").status_code == 200


HOSTILE = {
    "datestyle": "German",
    "intervalstyle": "iso_8601",
    "timezone": "Pacific/Apia",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "extra_float_digits": "-15",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "search_path": "elsewhere, pg_catalog, public",
    "client_encoding": "LATIN1",
}


@contextmanager
def defaults(settings: dict[str, str]) -> Iterator[None]:
    name = dsn()["dbname"]
    with session() as other:
        for setting, value in settings.items():
            value_ = value if setting == "search_path" else f"'{value}'"
            other.execute(f'ALTER DATABASE "{name}" SET {setting} = {value_}'.encode())
        connection.close()
        try:
            yield
        finally:
            other.execute(f'ALTER DATABASE "{name}" RESET ALL'.encode())
            connection.close()


def shown(native: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    return {
        setting: native.execute(f"SHOW {setting}".encode()).fetchone()[0]  # type: ignore[index]
        for setting in HOSTILE
    }


def test_sessions_ignore_the_defaults_of_the_database() -> None:
    """Regression: a German DateStyle broke most reads.

    Another default made autocommit serializable.
    """
    with defaults(HOSTILE):
        with_execute()
        found = [shown(connection.connection)]
        with separate_connection() as separate:
            found.append(shown(separate))
    for each in found:
        assert str(each["datestyle"]).startswith("ISO")
        assert each["timezone"] == "UTC"
        assert each["intervalstyle"] == "postgres"
        assert each["default_transaction_isolation"] == "read committed"
        assert each["default_transaction_deferrable"] == "off"
        assert each["search_path"] == "public"
        assert (each["client_encoding"], each["bytea_output"]) == ("UTF8", "hex")
        assert (each["standard_conforming_strings"], each["extra_float_digits"]) == ("on", "1")


def test_api_works_with_hostile_defaults_of_the_database() -> None:
    with defaults(HOSTILE):
        client = ApiClient()
        paid = body_of(client.submit())["id"]
        assert client.get(PAYMENTS).status_code == 200
        assert client.get(f"{PAYMENTS}/{paid}/state?version=1").status_code == 200
        assert Browser().get("/readyz").status_code == 200


def test_commands_work_with_hostile_defaults_of_the_database() -> None:
    """Regression: `projections --check`, `payment` and a rebuild could not read times."""
    with defaults(HOSTILE):
        paid = body_of(ApiClient().submit())["id"]
        project()
        call_command("seal_events")
        for arguments in (
            ("projections", "--check"),
            ("rebuild_projections", "payment_summary", "--workers", "2"),
            ("verify_events",),
            ("payment", paid),
            ("explain", paid),
            ("list_api_keys",),
        ):
            call_command(*arguments)


@pytest.mark.parametrize("refuses", [True, False])
def test_connect_sets_reported_values_through_a_pooler_without_options(*, refuses: bool) -> None:
    """Older poolers refuse a connection with options. Other poolers drop the options."""
    host = connection.settings_dict["HOST"]
    folder = servers.own_folder()  # a folder with a path that is short enough for a socket
    with defaults({"datestyle": "German", "timezone": "Pacific/Apia"}):
        with pooler(folder, str(servers.postgres().sockets), refuses=refuses):
            connection.settings_dict["HOST"] = str(folder)
            try:
                assert execute("SELECT '2026-11-29 12:00+00'::timestamptz::text") == [
                    ("2026-11-29 12:00:00+00",)
                ]
                with separate_connection() as separate:
                    assert shown(separate)["timezone"] == "UTC"
            finally:
                connection.close()
                connection.settings_dict["HOST"] = host
    shutil.rmtree(folder)


def test_rebuild_refuses_a_transaction_pooler() -> None:
    """Regression: the rebuild's lock stayed on the pooled connection and blocked later rebuilds."""
    parameters = dsn()
    folder = servers.own_folder()
    who = {"user": parameters["user"], "database": parameters["dbname"]}
    host = connection.settings_dict["HOST"]
    connection.close()
    with transaction_pooler(folder, str(servers.postgres().sockets), **who):
        connection.settings_dict["HOST"] = str(folder)
        try:
            for _ in range(2):
                with pytest.raises(CommandError, match="pooler in transaction mode"):
                    call_command("rebuild_projections", "payment_summary")
        finally:
            connection.close()
            connection.settings_dict["HOST"] = host
    shutil.rmtree(folder)
    call_command("rebuild_projections", "payment_summary")


def test_options_of_the_url_take_precedence() -> None:
    assert options("-c search_path=payments").endswith("search_path=public -c search_path=payments")


def test_connection_is_replaced_after_a_read_only_error() -> None:
    """After a failover, the address may lead to another server."""
    with_execute()
    pid = connection.connection.info.backend_pid
    connection.connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(InternalError):
        execute("CREATE TABLE nowhere (number int)")
    with_execute()

    assert connection.connection.info.backend_pid != pid
