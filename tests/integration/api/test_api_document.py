"""The OpenAPI document is complete and matches the structs."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from payments.api import bodies, dispute_view, representation as payment_representation
from payments.api.bodies import SubmitBody
from payments.api.disputes import (
    bodies as dispute_bodies,
    representation as dispute_representation,
)
from payments.api.openapi import problem_examples
from payments.api.openapi.components import ProblemDetails
from payments.api.problems.catalogue import KINDS
from payments.api.representation import PaymentView
from payments.clients.models import Scope
from readmodels.api import disputes as dispute_list, event_views, feed_schema, key, representation
from readmodels.api.backtests import (
    bodies as backtest_bodies,
    representation as backtest_representation,
)
from readmodels.api.webhooks import (
    bodies as webhook_bodies,
    representation as webhook_representation,
)
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, document, project
from tests.support.webhooks import URL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_document_matches_the_structs() -> None:
    found = document()
    assert found["openapi"] == "3.1.1"
    assert found["servers"][0]["url"] == "/"
    schemas = found["components"]["schemas"]
    for struct in (SubmitBody, PaymentView):
        assert list(schemas[struct.__name__]["properties"]) == list(struct.__struct_fields__)
    assert set(schemas["ProblemDetails"]["properties"]["code"]["x-extensible-enum"]) == set(KINDS)
    submit = found["paths"][PAYMENTS]["post"]
    assert submit["security"] == [{"apiKey": []}]
    (example,) = submit["requestBody"]["content"]["application/json"]["examples"].values()
    answer = ApiClient().post(PAYMENTS, example["value"])
    assert answer.status_code == 201
    described = submit["responses"]["201"]
    assert set(described["headers"]) - {"Idempotency-Replayed"} <= set(answer.headers)
    (shown,) = described["content"]["application/json"]["examples"].values()
    msgspec.convert(shown["value"], PaymentView)
    changing = {"id", "position", "created_at", "updated_at", "review_deadline"}
    assert {name: value for name, value in body_of(answer).items() if name not in changing} == {
        name: value for name, value in shown["value"].items() if name not in changing
    }


def test_every_endpoint_is_documented_with_its_problems() -> None:
    found = document()
    operations = {
        (method, path): operation
        for path, item in found["paths"].items()
        for method, operation in item.items()
    }
    assert {f"{method} {path.removeprefix('/api/v1/')}" for method, path in operations} == {
        "post payments",
        "get payments",
        "get payments/{payment_id}",
        "get payments/{payment_id}/events",
        "get payments/{payment_id}/state",
        "post payments/{payment_id}/claim",
        "post payments/{payment_id}/release",
        "post payments/{payment_id}/escalate",
        "post payments/{payment_id}/approve",
        "post payments/{payment_id}/reject",
        "post payments/{payment_id}/cancel",
        "get payments/{payment_id}/refunds",
        "post payments/{payment_id}/refunds",
        "post payments/{payment_id}/disputes",
        "post payments/{payment_id}/disputes/{dispute_id}/update",
        "post payments/{payment_id}/disputes/{dispute_id}/respond",
        "post payments/{payment_id}/disputes/{dispute_id}/close",
        "post reviews/claim-next",
        "get customers/{customer_id}/payments",
        "get disputes",
        "get events",
        "get event-types",
        "get statistics/daily",
        "get projections",
        "get key",
        "get webhook-endpoints",
        "post webhook-endpoints",
        "get webhook-endpoints/{endpoint_id}",
        "patch webhook-endpoints/{endpoint_id}",
        "delete webhook-endpoints/{endpoint_id}",
        "post webhook-endpoints/{endpoint_id}/rotate-secret",
        "post webhook-endpoints/{endpoint_id}/pause",
        "post webhook-endpoints/{endpoint_id}/resume",
        "post webhook-endpoints/{endpoint_id}/test",
        "post webhook-endpoints/{endpoint_id}/replay",
        "get webhook-endpoints/{endpoint_id}/attempts",
        "get webhook-endpoints/{endpoint_id}/held",
        "get webhook-keys",
        "get policies",
        "get policies/{policy_id}",
        "get backtests",
        "post backtests",
        "get backtests/{backtest_id}",
        "post backtests/{backtest_id}/cancel",
    }
    for operation in operations.values():
        assert {"401", "403", "406", "429", "500", "503"} <= set(operation["responses"])
        assert operation["summary"]
        assert operation["tags"]


def operations() -> Iterator[tuple[str, Any]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def struct_of(content: Any) -> Any:
    name = content["schema"]["$ref"].rpartition("/")[2]
    modules = (
        bodies,
        dispute_bodies,
        dispute_representation,
        dispute_list,
        dispute_view,
        event_views,
        payment_representation,
        representation,
        feed_schema,
        key,
        backtest_bodies,
        backtest_representation,
        webhook_bodies,
        webhook_representation,
    )
    (found,) = {vars(module)[name] for module in modules if name in vars(module)}
    return found


def test_document_examples_match_their_schemas() -> None:
    for name, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], name
            for example in content["examples"].values():
                msgspec.convert(example["value"], struct_of(content))
        if name.startswith("delete"):
            assert operation["responses"]["204"].keys() == {"description", "headers"}
            continue
        (answer,) = (
            operation["responses"][code]
            for code in operation["responses"]
            if code in {"200", "201", "202"}
        )
        content = answer["content"]["application/json"]
        assert content["examples"], name
        for example in content["examples"].values():
            msgspec.convert(example["value"], struct_of(content))


def test_document_has_an_example_of_each_problem_of_an_operation() -> None:
    found = document()
    shared = found["components"]["examples"]
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/problem+json")
            assert (content is not None) == (status >= "400"), name
            if content is None:
                continue
            shown = [
                shared[each["$ref"].removeprefix("#/components/examples/")]["value"]
                for each in content["examples"].values()
            ]
            codes = re.findall(r"`(\w+)`: ", answer["description"])
            assert [problem["code"] for problem in shown] == codes != [], (name, status)
            for problem in shown:
                msgspec.convert(problem, ProblemDetails)
                kind = KINDS[problem["code"]]
                assert (str(kind.status.value), kind.title) == (status, problem["title"])
                assert problem["type"] == f"/api/problems/{problem['code']}"


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_code_has_an_example(code: str) -> None:
    shown = problem_examples.example(code)
    assert (shown["code"], shown["status"]) == (code, KINDS[code].status.value)
    assert set(shown) <= set(ProblemDetails.__struct_fields__)
    msgspec.convert(shown, ProblemDetails)


def test_every_property_and_every_parameter_is_described() -> None:
    schemas = document()["components"]["schemas"]
    assert {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field in schema.get("properties", ())
        if not schema["properties"][field].get("description")
    } == set()
    for name, operation in operations():
        for each in operation.get("parameters", ()):
            assert each.get("description"), (name, each["name"])


def test_every_member_of_a_problem_is_described() -> None:
    client = ApiClient()
    flagged = client.submit(**RISKY)["Location"]
    paid = client.submit()["Location"]
    other = {"reason": "other"}
    client.post(f"{flagged}/approve", other)
    refusals = [
        client.submit(**RISKY),
        client.submit(amount=0),
        client.post(f"{flagged}/reject", other),
        client.post(f"{flagged}/reject", other, **{"If-Match": '"2"'}),
        client.post(f"{flagged}/cancel", other),
        client.post(f"{paid}/refunds", other | {"amount": 2_000, "currency": "EUR"}),
        client.post(f"{paid}/refunds", other | {"amount": 1, "currency": "USD"}),
    ]
    problems = [body_of(answer) for answer in refusals]
    assert len({problem["code"] for problem in problems}) == 7
    for problem in problems:
        if problem["code"] != "precondition_failed":  # a 412 may also show who decided
            assert set(problem) == set(problem_examples.example(problem["code"]))
        assert set(problem) <= set(ProblemDetails.__struct_fields__)
        msgspec.convert(problem, ProblemDetails)


def test_every_command_and_every_poll_is_described_with_its_headers() -> None:
    for name, operation in operations():
        sent = {
            each["name"]: each.get("required", False)
            for each in operation.get("parameters", ())
            if each["in"] == "header"
        }
        answers = operation["responses"]
        for status, answer in answers.items():
            assert "X-Request-ID" in answer["headers"], name
            assert ("RateLimit" in answer["headers"]) == (status != "401"), name
            assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"}), name
        if "/webhook-" in name and not name.startswith("get"):
            # Repeating these is safe without a key.
            assert "Idempotency-Key" not in sent, name
            assert ("415" in answers) == (not name.startswith("delete")), name
        elif "/backtests" in name and not name.startswith("get"):
            # These commands change no payment. Cancelling again is safe without a key.
            assert ("Idempotency-Key" in sent) == (not name.endswith("cancel")), name
            assert {"400", "413", "415"} <= set(answers), name
        elif name.startswith("post"):
            assert "Idempotency-Key" in sent, name
            assert {"400", "413", "415", "422"} <= set(answers), name
            assert ("409" in answers) == ("claim-next" not in name), name
            success = answers.get("200") or answers["201"]
            assert {"ETag", "X-Event-Position", "Idempotency-Replayed"} <= set(success["headers"])
        else:
            polled = "ETag" in answers["200"]["headers"]
            assert polled == ("If-None-Match" in sent) == ("304" in answers), name
        assert ("If-Match" in sent) == ("412" in answers), name
        assert sent.get("If-Match", False) == ("428" in answers), name
        if "412" in answers:
            assert "ETag" in answers["412"]["headers"], name
    assert "Location" in dict(operations())[f"post {PAYMENTS}"]["responses"]["201"]["headers"]


ONE = f"{PAYMENTS}/{{payment_id}}"
CLAIM_NEXT = "/api/v1/reviews/claim-next"
DAILY = "/api/v1/statistics/daily"
PROJECTIONS = "/api/v1/projections"
HOOKS = "/api/v1/webhook-endpoints"
HOOK = f"{HOOKS}/{{endpoint_id}}"
# Every answer has these headers, so the document omits them.
UNDESCRIBED = {
    "Content-Length",
    "Content-Type",
    "Cross-Origin-Opener-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
}
# The document describes these headers, but only a repetition or a 415 has them.
SOMETIMES = {"Idempotency-Replayed", "Accept", "Accept-Encoding"}


def test_document_describes_exactly_the_headers_that_are_sent() -> None:
    """Regression: a 404 had an empty Allow, and the document lacked the ETag of a 412."""
    ada, reader = ApiClient(), ApiClient(scopes=[Scope.PAYMENTS_READ])
    first = ada.submit(key="key-1")
    paid, flagged = first["Location"], ada.submit(**RISKY)["Location"]
    project()
    other, decide = {"reason": "other"}, f"{ONE}/approve"
    nobody = {"Authorization": ""}
    listed = ada.get(PAYMENTS)
    answers = [
        ("post", PAYMENTS, first),
        ("post", PAYMENTS, ada.submit(key="key-1")),
        ("post", PAYMENTS, ada.submit(amount=0)),
        ("post", PAYMENTS, ada.submit(key="key-1", amount=1)),
        ("post", PAYMENTS, reader.submit()),
        ("post", PAYMENTS, ada.post(PAYMENTS, {}, **nobody)),
        ("post", PAYMENTS, ada.post(PAYMENTS, {"reference": "x" * 65_536})),
        (
            "post",
            PAYMENTS,
            ada.send("POST", PAYMENTS, b"{}", "text/plain", **{"Idempotency-Key": "k"}),
        ),
        ("get", PAYMENTS, listed),
        ("get", PAYMENTS, ada.get(PAYMENTS, **{"If-None-Match": listed["ETag"]})),
        ("get", PAYMENTS, ada.get(PAYMENTS, Accept="text/html")),
        ("get", ONE, ada.get(paid)),
        ("get", ONE, ada.get(paid, **{"If-None-Match": "*"})),
        ("get", ONE, ada.get(f"{PAYMENTS}/{uuid4()}")),
        ("get", f"{ONE}/events", ada.get(f"{paid}/events")),
        ("get", f"{ONE}/events", ada.get(f"{paid}/events", **{"If-None-Match": "*"})),
        ("get", f"{ONE}/state", ada.get(f"{paid}/state?version=1")),
        ("post", decide, ada.post(f"{flagged}/approve", other, **{"If-Match": '"1"'})),
        ("post", decide, ada.send("POST", f"{flagged}/approve", b"{}", **{"Idempotency-Key": "k"})),
        ("post", decide, ada.post(f"{flagged}/approve", other)),
        ("post", decide, ada.post(f"{flagged}/approve", other)),
        ("post", CLAIM_NEXT, ada.post(CLAIM_NEXT, {})),
        ("get", DAILY, ada.get(f"{DAILY}?date={datetime.now(UTC).date()}")),
        ("get", PROJECTIONS, ada.get(PROJECTIONS)),
    ]
    made = ada.post(HOOKS, {"url": URL})
    hook = made["Location"]
    answers += [
        ("post", HOOKS, made),
        ("post", HOOKS, ada.post(HOOKS, {"url": URL})),
        ("get", HOOKS, ada.get(HOOKS)),
        ("get", HOOK, ada.get(f"{HOOKS}/{uuid4()}")),
        ("patch", HOOK, ada.send("PATCH", hook, b"{}")),
        ("patch", HOOK, ada.send("PATCH", hook, b"{}", "text/plain")),
        ("get", f"{HOOK}/attempts", ada.get(f"{hook}/attempts")),
        ("post", f"{HOOK}/rotate-secret", ada.post(f"{hook}/rotate-secret", {})),
        ("post", f"{HOOK}/test", ada.post(f"{hook}/test", {})),
        ("delete", HOOK, ada.send("DELETE", hook)),
    ]
    late = ada.submit()["X-Event-Position"]
    answers.append(("get", PAYMENTS, ada.get(PAYMENTS, **{"X-Min-Position": late})))
    paths = document()["paths"]
    for method, path, answer in answers:
        described = set(paths[path][method]["responses"][str(answer.status_code)]["headers"])
        described -= SOMETIMES - set(answer.headers)
        sent = set(answer.headers) - UNDESCRIBED
        assert sent == described, (method, path, answer.status_code)
    assert {answer.status_code for *_, answer in answers} == {
        *(200, 201, 202, 204, 304, 400, 401, 403, 404, 406, 409, 412, 413, 415, 422, 428, 503)
    }


def test_links_lead_to_operations_on_the_payment_of_the_answer() -> None:
    found = dict(operations())
    named = {operation["operationId"]: operation for operation in found.values()}
    links = [
        link
        for operation in named.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]

    assert len(links) >= 10
    for link in links:
        assert link["parameters"] == {"payment_id": "$response.body#/id"}
        parameters = {each["name"] for each in named[link["operationId"]]["parameters"]}
        assert "payment_id" in parameters
