"""The metrics of webhooks."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client as Browser
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from readmodels.webhooks.models import Endpoint, HeldPayment, State
from tests.support.api import ApiClient, project
from tests.support.webhooks import endpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def samples() -> dict[str, float]:
    answer = Browser().get("/metrics")
    return {
        ".".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
        if sample.name.startswith("payments_webhook_")
    }


def test_metrics_describe_endpoints_and_their_lag(acme: ApiClient) -> None:
    names = ("working", "failing", "quiet", State.DISABLED, State.PAUSED)
    made = {name: endpoint(url=f"https://93.184.215.14/{name}") for name in names}
    for state in (State.DISABLED, State.PAUSED):
        Endpoint.objects.filter(pk=made[state].pk).update(state=state)
    Endpoint.objects.filter(pk=made["failing"].pk).update(failures=3, failing_since=timezone.now())
    Endpoint.objects.filter(pk=made["quiet"].pk).update(event_types=["payment.refunded"])
    HeldPayment.objects.create(
        endpoint=made["working"], payment_id=uuid4(), position=1, since=timezone.now(), tries=1,
        next_attempt_at=timezone.now() + timedelta(hours=1), error="",
    )  # fmt: skip
    acme.submit()
    project()

    found = samples()

    ages = {name: found.pop(name) for name in list(found) if "oldest" in name}
    assert found == {
        "payments_webhook_endpoints.active": 3,
        "payments_webhook_endpoints.paused": 1,
        "payments_webhook_endpoints.disabled": 1,
        "payments_webhook_endpoint_disabled": 1,
        "payments_webhook_endpoints_failing": 1,
        "payments_webhook_held_payments": 1,
    }
    assert all(0 < age < 60 for age in ages.values())
    Endpoint.objects.update(position=10**9)
    assert {value for name, value in samples().items() if "oldest" in name} == {0}
