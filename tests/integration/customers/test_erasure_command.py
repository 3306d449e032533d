"""The command erase_customer: arguments, permissions, concurrency, interruptions."""

import os
import re
import threading
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from payments import permissions
from payments.customers import blocking, changes, erasure
from payments.customers.models import Customer
from payments.customers.registry import CustomerError
from payments.domain.customer import UnblockReason
from tests.support.concurrency import at_once, until_blocked
from tests.support.crashing import at_round_trip, die
from tests.support.erasing import (
    BLOCKED,
    EMAIL,
    NAME,
    PHONE,
    REASON,
    REFERENCE,
    WHO,
    ada,
    found,
    plant,
    run,
)
from tests.support.examples import NOON, OPERATOR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_erase_customer_asks_for_confirmation(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (*WHO, "--reason", REASON)
    with pytest.raises(CommandError, match="Add --yes"):
        call_command("erase_customer", *arguments, stdout=StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "no")

    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_customer", *arguments, stdout=StringIO())

    assert ada().name == NAME


@pytest.mark.parametrize(
    ("arguments", "complaint", "status"),
    [
        (("--reason", f"{NAME} asked"), "--reason: It names the customer", 2),
        (("--reason", f"asked: {REFERENCE.upper()}"), "--reason: It names the customer", 2),
        (("--reason", ""), "--reason: The text must not be empty", 2),
        (("--reason", "4111 1111 1111 1111"), "--reason: .* card number", 2),
        (("--files", "nowhere.csv"), "--files: There is no file nowhere.csv", 2),
        (("--files", "/tmp"), "--files: There is no file /tmp", 2),
    ],
)
def test_erase_customer_checks_its_arguments_first(
    payment: str, arguments: tuple[str, ...], complaint: str, status: int
) -> None:
    before = found()
    assert re.search(complaint, run(*arguments, status=status))
    assert found() == before


def test_only_operators_and_superusers_may_erase(payment: str) -> None:
    manager = get_user_model().objects.get(username="ada")
    customer = ada()

    def erase(by: str) -> list[Any]:
        given: dict[str, Any] = {"reference": REFERENCE, "reason": REASON, "at": NOON}
        return list(erasure.erase(customer, by=by, **given))

    for actor in (f"staff:{manager.pk}", f"client:{uuid4()}", "system:import"):
        with pytest.raises(permissions.NotPermitted):
            erase(actor)
    root = get_user_model().objects.create_superuser("root")
    assert erase(f"staff:{root.pk}")
    assert found() == set()


def test_second_erasure_removes_later_texts_and_names_the_first(
    payment: str,
) -> None:
    run()
    first = ada().erased_at
    blocking.change(ada().pk, reason=UnblockReason.CLEARED, note=BLOCKED, by=OPERATOR, at=NOON)

    output = run()

    assert "was erased at" in output
    assert f"{REASON}. Searching for text written since." in output
    assert "      1 notes about blocks\n" in output
    assert "      0 fields of the customer (none left)\n" in output
    assert found() == set()
    assert ada().erased_at == first
    assert "      0 notes about blocks\n" in run()


def test_rename_during_an_erasure_is_refused(payment: str) -> None:
    """Without the condition `erased_at=None`, `rename` would restore the name."""
    customer = ada()
    erased = threading.Event()

    def one(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                run()
                erased.set()
                until_blocked()
            return
        erased.wait(10)
        with pytest.raises(CustomerError, match="The customer was erased"):
            changes.rename(customer.pk, {"name": NAME}, by=OPERATOR)

    at_once(2, one)
    assert found() == set()


@pytest.mark.slow
def test_erasure_killed_at_any_round_trip_is_completed_by_a_rerun(
    payment: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.csv.rejected.csv"
    for number in count(1):
        Customer.objects.filter(pk=ada().pk).update(
            erased_at=None,
            reference=REFERENCE,
            blocked=False,
            name=NAME,
            email=EMAIL,
            phone=PHONE,
        )
        plant(ada())
        path.write_text(f"line,code,reason,content\n7,x,y,{NAME}\n")
        connections.close_all()  # a fork would share it
        child = os.fork()
        if child == 0:
            with at_round_trip(number, die):
                run("--files", str(path))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        run("--files", str(path))
        assert found() == set(), number
        assert "Ngwenya" not in path.read_text()
        assert list(tmp_path.iterdir()) == [path]
        if status == 0:
            break
    assert number > 8
