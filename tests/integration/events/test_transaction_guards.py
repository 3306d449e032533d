"""The guards that refuse to run outside, or inside, a transaction."""

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError

from payments.database import require_no_transaction, require_transaction
from payments.events import store
from payments.events.seals import sealing


@pytest.mark.django_db(transaction=True)
def test_require_transaction_raises_outside_a_transaction() -> None:
    with pytest.raises(TransactionManagementError, match="must run inside"):
        require_transaction()

    with transaction.atomic():
        require_transaction()


@pytest.mark.django_db(transaction=True)
def test_require_no_transaction_raises_inside_a_transaction() -> None:
    require_no_transaction()

    with (
        transaction.atomic(),
        pytest.raises(TransactionManagementError, match="must not run inside"),
    ):
        require_no_transaction()


@pytest.mark.django_db
def test_require_no_transaction_ignores_the_transaction_of_a_test_case() -> None:
    require_no_transaction()

    with transaction.atomic(), pytest.raises(TransactionManagementError):
        require_no_transaction()


@pytest.mark.django_db(transaction=True)
def test_reserve_raises_outside_a_transaction() -> None:
    with pytest.raises(TransactionManagementError):
        store.reserve(store.Reservation("test", "value"))


@pytest.mark.django_db(transaction=True)
def test_seal_all_raises_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(TransactionManagementError):
        next(sealing.seal_all())
