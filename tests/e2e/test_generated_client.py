"""A client that was generated from the OpenAPI document can do what a merchant has to."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from django.test import Client as Browser
from pytest_django.live_server_helper import LiveServer

from tests.api import ApiClient, project

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_client_made_from_the_document_submits_reads_pages_claims_and_decides(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    api, models = "made.api", import_module("made.models")
    submit = import_module(f"{api}.payments.submit_payment").sync_detailed
    read = import_module(f"{api}.payments.read_payment").sync_detailed
    pages = import_module(f"{api}.payments.list_payments").sync
    claim = import_module(f"{api}.review.claim_next_review").sync_detailed
    decide = import_module(f"{api}.review.approve_payment").sync_detailed
    days = import_module(f"{api}.statistics.read_daily_statistics").sync

    with import_module("made.client").AuthenticatedClient(
        live_server.url, ApiClient().token
    ) as client:
        body = models.SubmitBody(1_500_000, "USD", models.Method.CREDIT_CARD, "customer-123")
        first = submit(client=client, body=body, idempotency_key="key-1")
        again = submit(client=client, body=body, idempotency_key="key-1")
        assert (first.status_code, first.parsed) == (201, again.parsed)
        assert again.headers["Idempotency-Replayed"] == "true"
        payment = first.parsed
        assert payment.status == models.Status.PENDING_REVIEW
        assert payment.risk.band == "high"

        refused = submit(
            client=client,
            body=models.SubmitBody(0, "USD", models.Method.WALLET, "ann"),
            idempotency_key="2",
        )
        assert isinstance(refused.parsed, models.ProblemDetails)
        assert refused.parsed.errors[0].field == "amount"

        seen = read(payment.id, client=client)
        etag = seen.headers["ETag"]
        assert read(payment.id, client=client, if_none_match=etag).status_code == 304

        why = models.ApproveBody(models.ApprovalReason.KNOWN_CUSTOMER, note="Called back.")
        late = decide(payment.id, client=client, body=why, idempotency_key="d-1", if_match='"1"')
        assert (late.status_code, late.parsed.code) == (412, "precondition_failed")
        project()
        claimed = claim(client=client, idempotency_key="c-1")
        assert claimed.parsed.id == payment.id
        assert claimed.parsed.open_review.claimed_until > datetime.now(UTC)
        assert claim(client=client, idempotency_key="c-2").status_code == 204
        etag = claimed.headers["ETag"]
        done = decide(payment.id, client=client, body=why, idempotency_key="d-1", if_match=etag)
        assert (done.status_code, done.parsed.status) == (200, models.Status.COMPLETED)

        others = [
            submit(
                client=client,
                body=models.SubmitBody(n, "EUR", models.Method.WALLET, "ann"),
                idempotency_key=f"o-{n}",
            )
            for n in range(1, 5)
        ]
        position = int(others[-1].headers["X-Event-Position"])
        project()
        found, page = [], pages(client=client, limit=2, x_min_position=position)
        while page.next_ is not None:
            assert len(page.payments) == 2
            found += [each.id for each in page.payments]
            page = pages(client=client, limit=2, cursor=page.next_)
        found += [each.id for each in page.payments]
        assert found == [each.parsed.id for each in reversed(others)] + [payment.id]

        either = [models.Status(each) for each in ("failed", "completed")]
        assert [each.id for each in pages(client=client, status=either).payments] == found

        today = datetime.now(UTC).date()
        sums = {day.currency: day.total_count for day in days(client=client, date=today).days}
        assert sums == {"EUR": 4, "USD": 1}


def generate(folder: Path) -> None:
    """Make the package `made` from the document."""
    (folder / "document.yaml").write_bytes(Browser().get("/api/schema/").content)
    (folder / "settings.json").write_text('{"post_hooks": []}')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", "document.yaml", "--config", "settings.json", "--output-path", "made"),
            "--fail-on-warning",
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
