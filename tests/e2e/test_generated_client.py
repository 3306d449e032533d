"""Clients generated from the OpenAPI document, in three languages."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import openapi_generator_cli
import pytest

from config.stack import place
from payments.clients.models import Scope
from tests.e2e.service import Service, wait_for

# Every run generates the Python client. CI also generates those that need a compiler.
pytestmark = pytest.mark.slow

CLIENTS: Final = place.PROJECT / "tests/e2e/clients"
JAR: Final = Path(openapi_generator_cli.__file__).parent / "openapi-generator.jar"


# A pytest worker may run other modules in between. With module scope, this would be set up twice.
@pytest.fixture(scope="session")
def running(shared_service: Service) -> Service:
    """The service for all clients. Each client is a separate merchant."""
    for reviewer in ("ada", "bob"):
        shared_service.manage("create_staff", reviewer, "--role", "senior reviewer")
    shared_service.add_role("ada", "analyst")
    return shared_service


@pytest.fixture(scope="session")
def document(running: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with urllib.request.urlopen(f"{running.url}/api/schema/?format=json") as answer:
        path = tmp_path_factory.mktemp("document") / "document.json"
        path.write_bytes(answer.read())
    return path


def key_of(running: Service, merchant: str, reviewer: str = "ada") -> str:
    scopes = [word for scope in Scope.values for word in ("--scope", scope)]
    return running.manage("create_api_key", merchant, "--staff", reviewer, *scopes).strip()


def need(*programs: str) -> None:
    """Skip the test where a program is missing, but never in CI, which installs them."""
    missing = [each for each in programs if shutil.which(each) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} is not installed, see .ci/run")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def made(document: Path) -> Iterator[None]:
    """The Python client, which tests can import as `made`."""
    (document.parent / "settings.json").write_text('{"post_hooks": []}')
    run(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
        *("--path", document, "--config", "settings.json", "--output-path", "made"),
        "--fail-on-warning",
        cwd=document.parent,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(document.parent))
        yield


def python_client(running: Service, merchant: str) -> Any:
    return import_module("made.client").AuthenticatedClient(running.url, key_of(running, merchant))


def operation(name: str) -> Any:
    return import_module(f"made.api.{name}")


def test_python_client_submits_reads_claims_and_decides(running: Service, made: None) -> None:
    models = import_module("made.models")
    submit = operation("payments.submit_payment").sync_detailed
    read = operation("payments.read_payment").sync_detailed
    claim = operation("review.claim_next_review").sync_detailed
    decide = operation("review.approve_payment").sync_detailed

    with python_client(running, "Python that decides") as client:
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
        assert late.parsed.version == 2
        claims: list[Any] = []

        def claimed_one() -> bool:
            # A 204 means that the payment is not in the queue yet.
            claims.append(claim(client=client, idempotency_key=f"c-{len(claims)}"))
            return bool(claims[-1].status_code == 200)

        wait_for(claimed_one)
        claimed = claims[-1]
        assert claimed.parsed.id == payment.id
        assert claimed.parsed.open_review.claimed_until > datetime.now(UTC)
        assert claim(client=client, idempotency_key="none").status_code == 204
        etag = claimed.headers["ETag"]
        done = decide(payment.id, client=client, body=why, idempotency_key="d-1", if_match=etag)
        assert (done.status_code, done.parsed.status) == (200, models.Status.COMPLETED)


def test_python_client_pages_and_sums(running: Service, made: None) -> None:
    models = import_module("made.models")
    submit = operation("payments.submit_payment").sync_detailed
    pages = operation("payments.list_payments").sync
    days = operation("statistics.read_daily_statistics").sync

    with python_client(running, "Python that reads") as client:
        paid = [
            submit(
                client=client,
                body=models.SubmitBody(3_000_000_000 + n, "IDR", models.Method.WALLET, "ann"),
                idempotency_key=f"o-{n}",
            )
            for n in range(1, 5)
        ]
        position = int(paid[-1].headers["X-Event-Position"])
        page = current(lambda: pages(client=client, limit=2, x_min_position=position))
        found = []
        while page.next_ is not None:
            assert len(page.payments) == 2
            found += [each.id for each in page.payments]
            page = pages(client=client, limit=2, cursor=page.next_)
        found += [each.id for each in page.payments]
        assert found == [each.parsed.id for each in reversed(paid)]

        either = [models.Status(each) for each in ("pending_review", "completed")]
        assert [each.id for each in pages(client=client, status=either).payments] == found

        today = datetime.now(UTC).date()
        sums = current(
            lambda: days(
                client=client,
                from_=today - timedelta(days=1),
                to=today,
                x_min_position=position,
            )
        )
        assert sum(day.total_volume for day in sums.days) == 12_000_000_010

        later = models.PaymentView.from_dict(
            paid[0].parsed.to_dict() | {"status": "disputed_by_bank"}
        )
        assert later.status == "disputed_by_bank"


def test_python_client_manages_webhooks(running: Service, made: None) -> None:
    models = import_module("made.models")
    create = operation("webhooks.create_webhook_endpoint").sync_detailed
    change = operation("webhooks.change_webhook_endpoint").sync
    attempts = operation("webhooks.list_webhook_attempts").sync
    delete = operation("webhooks.delete_webhook_endpoint").sync_detailed

    with python_client(running, "Python with webhooks") as client:
        types = models.CreateWebhookEndpointBodyEventTypesItem
        body = models.CreateWebhookEndpointBody(
            "https://93.184.215.14/hook", event_types=[types.PAYMENT_PROCESSED]
        )
        created = create(client=client, body=body)
        again = create(client=client, body=body)
        endpoint = created.parsed
        assert (created.status_code, endpoint.secret[:6]) == (201, "whsec_")
        assert (endpoint.payload, endpoint.lag.events) == ("full", 0)
        assert (again.status_code, again.parsed.webhook_endpoint_id) == (409, endpoint.id)

        thin = models.ChangeWebhookEndpointBody(payload=models.WebhookPayload.THIN)
        changed = change(endpoint.id, client=client, body=thin)
        assert (changed.payload, changed.event_types) == ("thin", ["payment.processed"])
        page = attempts(
            endpoint.id, client=client, outcome=[models.ListWebhookAttemptsOutcomeItem.FAILED]
        )
        assert (page.attempts, page.next_) == ([], None)
        assert delete(endpoint.id, client=client).status_code == 204


def current(ask: Callable[[], Any]) -> Any:
    """Return the answer after the read model has caught up."""
    answers: list[Any] = []

    def has_caught_up() -> bool:
        answers.append(ask())
        return getattr(answers[-1], "code", "") != "projection_behind"

    wait_for(has_caught_up)
    return answers[-1]


@pytest.mark.nightly
def test_typescript_client_uses_every_operation(
    running: Service, document: Path, tmp_path: Path
) -> None:
    need("node", "npm")
    (tmp_path / "node_modules").symlink_to(node_modules())
    for source in ("merchant.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / "typescript" / source, tmp_path)
    (tmp_path / "readme.ts").write_text(
        'import type { components } from "./document.js";\n'
        f'export const body: components["schemas"]["SubmitBody"] = {readme_body()};\n'
    )
    run(
        *("node", "node_modules/openapi-typescript/bin/cli.js", document),
        *("--output", "document.d.ts"),
        cwd=tmp_path,
    )
    run("node", "node_modules/typescript/bin/tsc", cwd=tmp_path)

    output = run(
        *("node", "made/merchant.js", running.url, key_of(running, "TypeScript")), cwd=tmp_path
    )

    assert output.splitlines() == sorted(
        f"{method} {path}"
        for path, item in json.loads(document.read_text())["paths"].items()
        for method in item
    )


def node_modules() -> Path:
    """The packages of the lock file, installed once."""
    folder = CLIENTS / "typescript"
    installed = folder / "node_modules/.package-lock.json"
    lock = folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return folder / "node_modules"


def readme_body() -> str:
    found = re.search(r"^BODY='(\{.*\})'$", (place.PROJECT / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.nightly
def test_java_client_counts_in_64_bits(running: Service, document: Path, tmp_path: Path) -> None:
    need("java", "javac")
    quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    options = {
        "library": "native",
        "openApiNullable": "false",
        "useSingleRequestParameter": "true",
    }
    run(
        *("java", *quick, "-jar", JAR, "generate", "--generator-name", "java"),
        *("--input-spec", document, "--output", "made", "--additional-properties"),
        ",".join(f"{name}={value}" for name, value in options.items()),
        *("--global-property", "apiDocs=false,apiTests=false,modelDocs=false,modelTests=false"),
        cwd=tmp_path,
    )
    # The generator's jar holds the libraries that the generated code imports.
    sources = [*(tmp_path / "made/src/main").rglob("*.java"), *(CLIENTS / "java").rglob("*.java")]
    run(
        "javac",
        *(f"-J{option}" for option in quick),
        *("-proc:none", "-nowarn", "-d", "classes", "-cp", str(JAR)),
        *sources,
        cwd=tmp_path,
    )

    run(
        *("java", *quick, "-cp", f"{JAR}{os.pathsep}classes", "Merchant", running.url),
        *(key_of(running, "Java", reviewer) for reviewer in ("ada", "bob")),
        cwd=tmp_path,
    )
