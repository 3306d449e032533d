"""Contradict the log, and check that all parts of the service report it until it is repaired."""

from collections.abc import Callable
from io import StringIO
from typing import Final
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from payments.aggregates import PAYMENT_AGGREGATE
from payments.events import store
from payments.events.contradictions import LogContradicted, find
from payments.events.metadata import Metadata
from payments.events.models import Event
from readmodels.engine import lag
from readmodels.models import Checkpoint
from tests.support.api import ApiClient, body_of, project
from tests.support.concurrency import session
from tests.support.example_events import initiated
from tests.support.oracle import check_read_models
from tests.support.raw_appends import Session

BY_TEST: Final = Metadata(actor="system:test", command="process_payment")


def set_sequence(value: int, *, called: bool = True) -> None:
    with session() as other:
        other.execute("SELECT setval('events_event_position_seq', %s, %s)", [value, called])


def cut(superuser: Session, position: int) -> None:
    superuser.execute("DELETE FROM events_event WHERE position > %s", [position])


def appended() -> int:
    return store.append(PAYMENT_AGGREGATE, uuid4(), [initiated()], expected=0, metadata=BY_TEST)


def refusal(append: Callable[[], object] = appended) -> str:
    before = Event.objects.count()
    with pytest.raises(LogContradicted) as refused:
        append()
    assert Event.objects.count() == before
    return str(refused.value)


def check_reported_everywhere(
    code: str, repair: str, *, before_append: Callable[[], object] = lambda: None
) -> None:
    ready = Browser().get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert code in ready.json()["log"]
    output, errors, status = command("projections")
    assert status == 1
    assert repair in errors
    assert "Last assigned position" in output
    output, _, status = command("verify_events")
    assert status == 1
    assert repair in output
    _, _, status = command("verify_events", "--json")
    assert status == 1
    before_append()
    assert repair in refusal()
    before_append()
    assert "payments_log_contradictions 0" not in Browser().get("/metrics").content.decode()
    answer = ApiClient().submit()
    assert (answer.status_code, body_of(answer)["code"]) == (503, "log_contradicted")
    assert answer["Retry-After"] == "60"


def command(*arguments: str) -> tuple[str, str, int]:
    out, err = StringIO(), StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return out.getvalue(), err.getvalue(), int(ended.code or 0)
    except CommandError as error:
        return out.getvalue(), str(error), 1
    return out.getvalue(), err.getvalue(), 0


def check_sound() -> None:
    assert find() == []
    position = appended()
    assert position > max(Checkpoint.objects.values_list("position", flat=True), default=0)
    project()
    check_read_models()
    assert {each.state for each in lag.measure()} == {"current"}
    assert Browser().get("/readyz").status_code == 200
    assert command("projections")[2] == 0
    answer = ApiClient().submit()
    assert answer.status_code == 201


def repairs(code: str) -> str:
    (repair,) = [each.repair for each in find() if each.code == code]
    return repair
