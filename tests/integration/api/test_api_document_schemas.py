"""The schemas of the OpenAPI document, as client generators need them."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from config.urls import urlpatterns
from payments.api import bodies
from payments.api.http.base import KeyView
from payments.clients.models import Scope
from payments.domain.methods import Method
from payments.domain.payment.state import Status
from tests.support.api import PAYMENTS, document

ENUM = "enum"
OPEN = "x-extensible-enum"


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def operations() -> Iterator[tuple[str, Any]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def walk(schema: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the schema and all schemas nested in it. References are not followed."""
    yield name, schema
    for field, each in schema.get("properties", {}).items():
        yield from walk(each, f"{name}.{field}")
    for each in schema.get("anyOf", ()):
        yield from walk(each, name)
    if "items" in schema:
        yield from walk(schema["items"], f"{name}[]")


def every_schema() -> Iterator[tuple[str, Any]]:
    for name, schema in schemas().items():
        yield from walk(schema, name)
    for name, operation in operations():
        for each in operation.get("parameters", ()):
            yield from walk(each["schema"], f"{name} {each['name']}")
        for status, answer in operation["responses"].items():
            for header, described in answer["headers"].items():
                shared = document()["components"]["headers"].get(header)
                schema = (shared if "$ref" in described else described)["schema"]
                yield from walk(schema, f"{name} {status} {header}")


def types_of(schema: Any) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)


def reached_from_answers() -> set[str]:
    """Return the names of all components that answers use."""
    waiting = [
        content["schema"]["$ref"]
        for _, operation in operations()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in found:
            found.add(name)
            waiting += [each["$ref"] for _, each in walk(schemas()[name], name) if "$ref" in each]
    return found


def test_every_integer_has_a_format_that_holds_its_largest_value() -> None:
    integers = {name: each for name, each in every_schema() if "integer" in types_of(each)}
    assert {
        name
        for name, each in integers.items()
        if each["format"] != "int64" and not each["maximum"] <= 2**31 - 1
    } == set()
    for name in (
        "SubmitBody.amount",
        "RefundBody.amount",
        "PaymentView.amount",
        "PaymentView.refunded_amount",
        "PaymentView.position",
        "EventView.position",
        "EventData.amount",
        "EventData.refunded",
        "DayView.total_volume",
        "DayView.refunded_volume",
        "ProjectionView.position",
        "ProblemDetails.refundable",
        "ProblemDetails.version",
        f"get {PAYMENTS} amount_min",
        f"get {PAYMENTS} X-Min-Position",
        f"post {PAYMENTS} 201 X-Event-Position",
    ):
        assert integers[name]["format"] == "int64", name
    assert integers["ProblemDetails.status"]["format"] == "int32"


def test_every_amount_has_the_limits_of_money() -> None:
    found = dict(every_schema())
    for name in ("SubmitBody.amount", "RefundBody.amount", "PaymentView.amount"):
        assert (found[name]["minimum"], found[name]["maximum"]) == (1, 999_999_999_999), name


def test_no_value_has_a_default() -> None:
    assert {name for name, each in every_schema() if "default" in each} == set()


def test_constraints_are_next_to_their_type() -> None:
    """Generators ignore `maxLength` if it is next to `anyOf: [string, null]`."""
    for name, each in every_schema():
        if "anyOf" in each:
            assert set(each) <= {"description", "anyOf"}, name
            assert ["$ref" in choice for choice in each["anyOf"]] == [True, False], name
        else:
            assert "$ref" in each or each["type"], name
    found = dict(every_schema())
    reference = found["SubmitBody.reference"]
    assert reference["type"] == ["string", "null"]
    assert (reference["minLength"], reference["maxLength"]) == (1, bodies.REFERENCE_LENGTH)
    assert found["SubmitBody.country"]["pattern"] == "^[A-Z]{2}$"
    assert found["RefundBody.amount"]["type"] == ["integer", "null"]
    assert found["ApproveBody.note"]["maxLength"] == bodies.NOTE_LENGTH


def test_absent_problem_members_are_omitted() -> None:
    problem = schemas()["ProblemDetails"]
    assert problem["required"] == [
        *("type", "title", "status", "code", "detail", "instance", "request_id")
    ]
    for name, each in walk(problem, "ProblemDetails"):
        assert "null" not in types_of(each), name
    for name in ("claimed_until", "deadline"):
        assert problem["properties"][name]["format"] == "date-time", name


def test_choices_in_requests_are_closed() -> None:
    found = schemas()
    assert found["Method"] | {"title": ""} == {
        "title": "",
        "type": "string",
        ENUM: sorted(Method),
    }
    for name, each in every_schema():
        assert ENUM not in each or each["type"] == "string", name
    assert found["SubmitBody"]["properties"]["method"]["$ref"].endswith("/Method")


def test_filters_and_bodies_share_their_choices() -> None:
    filters = {
        each["name"]: each["schema"] for each in dict(operations())[f"get {PAYMENTS}"]["parameters"]
    }

    assert filters["method"] == {"$ref": "#/components/schemas/Method"}
    assert filters["status"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Status"},
    }
    assert schemas()["Status"][ENUM] == sorted(Status)


def test_choices_in_answers_are_open() -> None:
    """A client that is generated from closed choices raises on a status that is added later."""
    answered = reached_from_answers()
    assert {"PaymentView", "Risk", "ProblemDetails", "FieldError"} <= answered
    closed = {
        name
        for component in answered
        for name, each in walk(schemas()[component], component)
        if ENUM in each
    }
    assert closed == set()
    for name in (
        "PaymentView.status",
        "PaymentView.failure_reason",
        "Risk.band",
        "FieldError.code",
    ):
        each = dict(every_schema())[name]
        assert all(f"`{value}`" in each["description"] for value in each[OPEN]), name
    assert dict(every_schema())["PaymentView.status"][OPEN] == sorted(Status)


def test_every_reference_resolves() -> None:
    known = {f"#/components/schemas/{name}" for name in schemas()}
    used = {each["$ref"] for _, each in every_schema() if "$ref" in each}
    assert used <= known
    roots = {
        content["schema"]["$ref"]
        for _, operation in operations()
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in part.get("content", {}).values()
    }
    assert used | roots == known


def views() -> Iterator[type[KeyView]]:
    for pattern in urlpatterns[0].url_patterns:  # type: ignore[union-attr]
        yield pattern.callback.view_class  # type: ignore[union-attr]


def test_every_operation_has_a_description_of_its_own_and_no_docstring() -> None:
    described = {name: operation["description"] for name, operation in operations()}
    assert len(set(described.values())) == len(described)
    docstrings = {
        line.strip()
        for view in views()
        for each in view.__mro__[:-1]
        for line in (inspect.getdoc(each) or "").splitlines()
        if line.strip()
    }
    for name, text in described.items():
        own = re.sub(r"\n\nNeeds a key (with|of any) .*\.$", "", text)
        assert own.endswith("."), name
        assert not [line for line in docstrings if line in text], name


def test_every_operation_names_the_scope_that_it_needs() -> None:
    named = {}
    for name, operation in operations():
        scopes = operation["x-required-scopes"]
        if operation["operationId"] == "read_key":
            assert set(scopes) == set(Scope.values)
            assert "Needs a key of any scope." in operation["description"]
            continue
        shown = " or ".join(f"`{scope}`" for scope in scopes)
        assert f"scope {shown}." in operation["description"], name
        named[operation["operationId"]] = " or ".join(scopes)
    assert named.pop("list_webhook_keys") == "payments:read or webhooks:write"
    assert set(named.values()) == set(Scope.values)
    assert named["submit_payment"] == "payments:write"
    assert named["list_payments"] == "payments:read"
    assert named["approve_payment"] == "reviews:write"
    assert named["read_daily_statistics"] == "statistics:read"


def test_every_tag_is_declared() -> None:
    found = document()
    declared = {each["name"] for each in found["tags"]}
    assert {tag for _, operation in operations() for tag in operation["tags"]} == declared
    assert all(each["description"] for each in found["tags"])


def test_document_has_contact_license_and_version() -> None:
    found = document()["info"]
    assert found["contact"]["name"]
    assert found["license"] == {"name": "MIT", "identifier": "MIT"}
    assert re.fullmatch(r"1\.\d+\.\d+", found["version"])


def test_parameters_are_sorted_by_place_and_requirement() -> None:
    for name, operation in operations():
        places = [
            (each["in"] != "path", not each.get("required", False))
            for each in operation.get("parameters", ())
        ]
        assert places == sorted(places), name
    (first, *_) = dict(operations())[f"post {PAYMENTS}/{{payment_id}}/refunds"]["parameters"]
    assert first["name"] == "payment_id"


def test_customer_of_a_path_is_named_like_the_customer_of_a_payment() -> None:
    (first, *_) = dict(operations())["get /api/v1/customers/{customer_id}/payments"]["parameters"]
    assert first["name"] == "customer_id"
    assert "customer" in first["description"]


@pytest.mark.parametrize("name", ["type", "data"])
def test_event_type_is_open(name: str) -> None:
    assert ENUM not in schemas()["EventView"]["properties"][name]
    data = schemas()["EventData"]
    assert "additionalProperties" not in data
    assert data["required"] == []
    assert {"amount", "currency", "reason", "reviewer", "until", "refund_id"} <= set(
        data["properties"]
    )


def test_headers_of_all_answers_are_described_once() -> None:
    shared = document()["components"]["headers"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"} <= set(shared)
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            for header in answer["headers"].keys() & shared.keys():
                reference = {"$ref": f"#/components/headers/{header}"}
                assert answer["headers"][header] == reference, (name, status)


def test_no_text_keeps_the_indentation_of_the_source() -> None:
    texts = [each.get("description", "") for _, each in every_schema()]
    texts += [operation["description"] for _, operation in operations()]
    assert [text for text in texts if re.search(r"^[ \t]", text, re.MULTILINE)] == []
