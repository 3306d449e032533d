"""Only trusted keys make valid seals, and invalid keys are refused."""

from io import StringIO
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command

from payments.events import tasks
from payments.events.models import Seal
from payments.events.seals import keys, sealing, verifying
from payments.events.seals.findings import Kind
from tests.support.raw_appends import Session, insert
from tests.support.tampering import change_event, delete_seals, found, verify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]

OLD_KEY: Final = "0a" * 32


def test_verify_finds_a_change_resealed_with_another_key(
    sealed: list[int], superuser: Session, settings: Any
) -> None:
    """The attacker can write everything but lacks the key."""
    change_event(superuser, sealed[9], "schema_version = 7")
    delete_seals(superuser, "number = 3")
    trusted = keys.trusted()
    settings.SEAL_KEY = OLD_KEY
    assert len(list(sealing.seal_all())) == 1
    report = verifying.verify(trusted)
    (finding,) = report.findings.first
    assert (finding.kind, finding.position) == (Kind.SEAL_BROKEN, sealed[7] + 1)
    assert "not trusted" in finding.detail


def test_verify_accepts_rotated_keys(sealed: list[int], writer: Session, settings: Any) -> None:
    old = keys.public_key(keys.signing_key())
    settings.SEAL_KEY = OLD_KEY
    insert(writer)
    assert len(list(sealing.seal_all())) == 1
    assert [kind for kind, _ in found()] == ["seal broken"] * 3
    settings.SEAL_PUBLIC_KEYS = [old]
    assert found() == []
    settings.SEAL_PUBLIC_KEYS = []
    assert verify("--public-key", old)[0] == 0


def test_sealing_without_a_key_is_refused(
    writer: Session, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SEAL_KEY = ""
    insert(writer)
    with pytest.raises(CommandError, match="set SEAL_KEY"):
        call_command("seal_events", stdout=StringIO())
    tasks.seal()
    assert "set SEAL_KEY" in caplog.text
    assert not Seal.objects.exists()
    with pytest.raises(CommandError, match="Set SEAL_PUBLIC_KEYS") as refused:
        verify()
    assert refused.value.returncode == 2


@pytest.mark.parametrize("debug", [True, False])
def test_development_key_is_refused_without_debug(
    settings: Any, caplog: pytest.LogCaptureFixture, *, debug: bool
) -> None:
    settings.SEAL_KEY, settings.DEBUG = keys.DEVELOPMENT_KEY, debug
    keys._warn_once.cache_clear()
    if debug:
        settings.EMBEDDED = True
        keys.signing_key()
        assert caplog.text == ""
        settings.EMBEDDED = False
        keys.trusted()
        assert caplog.text == ""
        keys.signing_key()
        assert "which is public" in caplog.text
    else:
        with pytest.raises(keys.SealKeyError):
            keys.signing_key()


def test_invalid_key_is_reported_with_its_variable(settings: Any) -> None:
    with pytest.raises(CommandError, match="--public-key must be 64 hexadecimal digits"):
        verify("--public-key", "abc")
    settings.SEAL_PUBLIC_KEYS = ["z" * 64]
    with pytest.raises(CommandError, match="SEAL_PUBLIC_KEYS must be"):
        verify()
    settings.SEAL_KEY = "secret"

    with pytest.raises(CommandError, match="SEAL_KEY must be") as refused:
        call_command("seal_events", stdout=StringIO())

    assert "secret" not in str(refused.value)
