"""An auditor verifies the log with a read-only role, and sees when it cannot be read."""

from pathlib import Path

import pytest
from django.db import connection

from payments.events.seals import keys
from tests.support import servers
from tests.support.concurrency import session
from tests.support.raw_appends import Session
from tests.support.tampering import manage

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]


def test_auditor_role_verifies_and_writes_nothing(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    """The test uses the grants in payments/events/README.md."""
    public = keys.public_key(keys.signing_key())
    superuser.execute("DROP ROLE IF EXISTS auditor")
    superuser.execute("CREATE ROLE auditor LOGIN")
    try:
        superuser.execute("GRANT SELECT ON events_event, events_seal TO auditor")
        name = connection.settings_dict["NAME"]
        url = servers.postgres().url(name).replace("postgres@", "auditor@")
        environment = {"DATABASE_URL": url, "SEAL_KEY": "", "SEAL_PUBLIC_KEYS": public}
        for command in (
            ["verify_events", "--export", str(tmp_path / "head.json")],
            ["verify_events", "--against", str(tmp_path / "head.json")],
            ["export_events", str(tmp_path / "log.ndjson")],
        ):
            process = manage(*command, environment=environment)
            output, errors = process.communicate()
            assert process.returncode == 0, (output, errors)
        with session() as other:
            other.execute("SET SESSION AUTHORIZATION auditor")
            for table in ("events_event", "events_seal", "events_claim", "readmodels_checkpoint"):
                for statement in (
                    f"INSERT INTO {table} DEFAULT VALUES",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                    f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                ):
                    with pytest.raises(Exception, match="permission denied|must be owner"):
                        other.execute(statement)
            with pytest.raises(Exception, match="permission denied"):
                other.execute("SELECT * FROM customers_customer")
    finally:
        superuser.execute("DROP OWNED BY auditor")
        superuser.execute("DROP ROLE auditor")


def test_verify_distinguishes_an_unreadable_log_from_tampering() -> None:
    environment = {"DATABASE_URL": servers.postgres().url("nowhere")}
    process = manage("verify_events", environment=environment)
    _, errors = process.communicate()

    assert process.returncode == 2
    assert "The log cannot be read: " in errors
    assert "Traceback" not in errors
