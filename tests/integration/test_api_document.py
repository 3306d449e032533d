"""The OpenAPI document: complete, and true to what reads and answers."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.test import Client as Browser

from payments.api import bodies
from payments.api.bodies import SubmitBody
from payments.api.problems import KINDS
from payments.api.representation import PaymentView
from payments.api.schema import ProblemDetails
from readmodels.api import representation
from tests.api import PAYMENTS, RISKY, ApiClient, body_of

pytestmark = pytest.mark.django_db(transaction=True)


def document() -> Any:
    answer = Browser().get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_the_document_is_made_from_what_reads_and_answers() -> None:
    found = document()
    assert found["openapi"] == "3.1.1"
    schemas = found["components"]["schemas"]
    for struct in (SubmitBody, PaymentView):
        assert list(schemas[struct.__name__]["properties"]) == list(struct.__struct_fields__)
    assert set(schemas["ProblemDetails"]["properties"]["code"]["enum"]) == set(KINDS)
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
        "post payments/{payment_id}/refunds",
        "post reviews/claim-next",
        "get customers/{reference}/payments",
        "get statistics/daily",
        "get projections",
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
    (found,) = (vars(module)[name] for module in (bodies, representation) if name in vars(module))
    return found


def test_every_operation_shows_a_body_and_an_answer_that_are_possible() -> None:
    for name, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], name
            for example in content["examples"].values():
                msgspec.convert(example["value"], struct_of(content))
        (answer,) = (
            operation["responses"][code]
            for code in operation["responses"]
            if code in {"200", "201"}
        )
        content = answer["content"]["application/json"]
        assert content["examples"], name
        for example in content["examples"].values():
            msgspec.convert(example["value"], struct_of(content))


def test_every_problem_that_is_shown_is_one() -> None:
    shown = [
        (status, example["value"])
        for _, operation in operations()
        for status, answer in operation["responses"].items()
        for example in answer.get("content", {})
        .get("application/problem+json", {})
        .get("examples", {})
        .values()
    ]
    assert len(shown) >= 4
    for status, problem in shown:
        msgspec.convert(problem, ProblemDetails)
        kind = KINDS[problem["code"]]
        assert (str(kind.status.value), kind.title) == (status, problem["title"])


def test_all_that_a_problem_tells_is_described() -> None:
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
    told = [body_of(answer) for answer in refusals]
    assert len({problem["code"] for problem in told}) == 7
    for problem in told:
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
        if name.startswith("post"):
            assert "Idempotency-Key" in sent, name
            assert {"400", "411", "413", "415", "422"} <= set(answers), name
            assert ("409" in answers) == ("claim-next" not in name), name
            told = answers.get("200") or answers["201"]
            assert {"ETag", "X-Event-Position", "Idempotency-Replayed"} <= set(told["headers"])
        else:
            polled = "ETag" in answers["200"]["headers"]
            assert polled == ("If-None-Match" in sent) == ("304" in answers), name
        assert ("If-Match" in sent) == ("412" in answers), name
        assert sent.get("If-Match", False) == ("428" in answers), name
    assert "Location" in dict(operations())[f"post {PAYMENTS}"]["responses"]["201"]["headers"]
