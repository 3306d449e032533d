"""The parts of the OpenAPI document that operations share: headers, problems, security, schemas."""

from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Final

import msgspec
from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter, OpenApiResponse
from msgspec import UNSET, UnsetType

from payments.api.http.authentication import permitting
from payments.api.openapi import problem_examples, schemas
from payments.api.problems.catalogue import KINDS
from payments.api.problems.problem import CONTENT_TYPE, FieldError
from payments.clients.models import Scope
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.state import Status
from payments.domain.text import Moment


def _described(description: str, **json_schema: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra_json_schema=json_schema)


class ProblemDetails(msgspec.Struct):
    """The problem details of RFC 9457, with a stable `code` and the id of the request in the logs.

    The members after `request_id` are present for some codes only.
    """

    type: Annotated[
        str,
        _described("The address of the page that explains the code.", format="uri-reference"),
    ]
    title: Annotated[str, _described("The meaning of the code.")]
    status: Annotated[int, _described("The HTTP status of the answer.", minimum=400, maximum=599)]
    code: Annotated[
        str,
        _described(
            "A code for programs. Codes are never renamed.",
            enum=sorted(KINDS),
        ),
    ]
    detail: Annotated[str, _described("An explanation of this refusal, for people.")]
    instance: Annotated[str, _described("The path of the request.")]
    request_id: Annotated[str, _described("The id of the request in logs and events.")]
    errors: Annotated[
        list[FieldError] | UnsetType,
        _described("The wrong fields, if single fields are wrong."),
    ] = UNSET
    payment_id: Annotated[
        str | UnsetType,
        _described(
            "The id of the payment that has the reference, itself or for a refund.", format="uuid"
        ),
    ] = UNSET
    webhook_endpoint_id: Annotated[
        str | UnsetType,
        _described("The id of the webhook endpoint that has the URL.", format="uuid"),
    ] = UNSET
    payment_status: Annotated[
        str | UnsetType,
        _described("The current status of the payment.", enum=[each.value for each in Status]),
    ] = UNSET
    version: Annotated[
        int | UnsetType,
        _described("The number of the payment's events now: its `ETag` without the quotes."),
    ] = UNSET
    decision: Annotated[
        str | UnsetType,
        _described("The decision.", enum=["approved", "rejected"]),
    ] = UNSET
    decided_by: Annotated[
        str | UnsetType, _described("The id of the reviewer who decided. Names are never shown.")
    ] = UNSET
    claimed_by: Annotated[
        str | UnsetType,
        _described("The id of the reviewer who has claimed the payment. Names are never shown."),
    ] = UNSET
    claimed_until: Annotated[Moment | UnsetType, _described("When the claim ends (UTC).")] = UNSET
    assigned_to: Annotated[
        str | UnsetType,
        _described(
            "The id of the reviewer to whom the payment is assigned. Names are never shown."
        ),
    ] = UNSET
    assigned_until: Annotated[
        Moment | UnsetType, _described("When the payment is for all reviewers again (UTC).")
    ] = UNSET
    deadline: Annotated[Moment | UnsetType, _described("The deadline of the review (UTC).")] = UNSET
    refundable: Annotated[
        int | UnsetType,
        _described("The amount that can still be refunded, in minor units of `currency`."),
    ] = UNSET
    disputable: Annotated[
        int | UnsetType,
        _described("The amount that the dispute can take, in minor units of `currency`."),
    ] = UNSET
    dispute_id: Annotated[str | UnsetType, _described("The id of the open dispute.")] = UNSET
    outcome: Annotated[
        str | UnsetType,
        _described("How the dispute ended.", enum=[each.value for each in DisputeOutcome]),
    ] = UNSET
    closed_at: Annotated[Moment | UnsetType, _described("When the dispute ended (UTC).")] = UNSET
    currency: Annotated[
        str | UnsetType, _described("The currency of the payment, an ISO 4217 code.")
    ] = UNSET


def _links(*operations: str) -> dict[str, Any]:
    return {
        name: {"operationId": name, "parameters": {"payment_id": "$response.body#/id"}}
        for name in operations
    }


# For each operation: the status of its response, and links to operations on the payment in it.
_LINKS: Final = {
    "submit_payment": (
        "201",
        _links("read_payment", "read_payment_events", "cancel_payment", "refund_payment"),
    ),
    "refund_payment": ("200", _links("read_payment", "list_refunds")),
    "claim_next_review": (
        "200",
        _links(
            "read_payment", "approve_payment", "reject_payment", "escalate_review", "release_review"
        ),
    ),
}


class ApiSchema(AutoSchema):
    """Describe an operation with its scope, and share examples and headers among operations."""

    def get_description(self) -> str:  # type: ignore[override]
        """Refuse to use the docstring of the view, which is for developers."""
        raise ImproperlyConfigured(f"{self.method} {self.path} has no description.")

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: Any = super().get_operation(*args, **kwargs)
        view: Any = self.view
        scopes = [scope.value for scope in permitting(view.scopes[self.method])]
        named = " or ".join(f"`{scope}`" for scope in scopes)
        every = set(scopes) == set(Scope.values)
        needed = "Needs a key of any scope." if every else f"Needs a key with the scope {named}."
        operation["description"] += f"\n\n{needed}"
        # Not in `security`: OpenAPI 3.1 allows it there, but linters report a scope that OAuth lacks.
        operation["x-required-scopes"] = scopes
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True  # not the default for PATCH
        if followed := _LINKS.get(operation["operationId"]):
            status, links = followed
            operation["responses"][status]["links"] = links
        for answer in operation["responses"].values():
            content = answer.get("content", {}).get(CONTENT_TYPE, {})
            self._share(ResolvedComponent.EXAMPLE, content.get("examples", {}))
            self._share(ResolvedComponent.HEADER, answer["headers"], only=_COMMON_NAMES)
        return operation

    def _share(
        self, kind: str, found: dict[str, Any], only: AbstractSet[str] | None = None
    ) -> None:
        """Replace parts that many responses share with references to components."""
        for name in found.keys() & (found.keys() if only is None else only):
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name, type=kind, schema=found[name], object=name
            )
            self.registry.register_on_missing(component)
            found[name] = component.ref


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Let drf-spectacular accept structs as serializers."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return str(self.target.__name__)

    def get_identity(self, auto_schema: AutoSchema, direction: Direction) -> str:
        # Components are registered by name only, so a struct has to be identified by its name too.
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        components = schemas.components(self.target, answered=direction == "response")
        own = components.pop(self.target.__name__)
        for name, component in components.items():
            auto_schema.registry.register_on_missing(
                ResolvedComponent(  # type: ignore[no-untyped-call]
                    name=name,
                    type=ResolvedComponent.SCHEMA,
                    object=name,
                    schema=component,
                )
            )
        return own


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "payments.api.http.authentication.BearerAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        scopes = ", ".join(f"`{scope}`" for scope in Scope.values)
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key from `./manage.py create_api_key`. Each operation names the scope"
            f" that it needs: {scopes}.",
        }


_EVERYWHERE: Final = (
    "not_authenticated",
    "permission_denied",
    "not_acceptable",
    "throttled",
    "internal_error",
    "temporarily_unavailable",
)


def refusals(*codes: str) -> dict[Any, OpenApiResponse]:
    """Return the responses for these problem codes and for the codes that every operation has."""
    by_status: dict[int, list[str]] = {}
    for code in sorted({*codes, *_EVERYWHERE}, key=lambda code: (KINDS[code].status, code)):
        by_status.setdefault(KINDS[code].status.value, []).append(code)
    return {
        (status, CONTENT_TYPE): OpenApiResponse(
            ProblemDetails,
            description="; ".join(f"`{code}`: {KINDS[code].title}" for code in found),
            examples=[_problem(code) for code in found],
        )
        for status, found in by_status.items()
    }


def _problem(code: str) -> OpenApiExample:
    return OpenApiExample(
        code,
        problem_examples.example(code),
        summary=KINDS[code].title,
        response_only=True,
        media_type=CONTENT_TYPE,
        status_codes=[str(KINDS[code].status.value)],
    )


_NUMBERS: Final = {
    "X_Event_Position": schemas.integer(0, schemas.INT64_MAX),
    "Retry_After": schemas.integer(0, schemas.INT32_MAX),
}


def headers(*statuses: int, **described: str) -> list[OpenApiParameter]:
    """Return the headers of responses with these statuses. An underscore stands for a hyphen."""
    return [
        OpenApiParameter(
            name.replace("_", "-"),
            _NUMBERS.get(name, str),
            OpenApiParameter.HEADER,
            response=list(statuses),
            description=text,
        )
        for name, text in described.items()
    ]


PAYMENT_HEADERS: Final = {
    "ETag": "The payment's version in quotes, for `If-Match` and `If-None-Match`.",
    "X_Event_Position": "The position of the payment's last event in the log.",
}
# Every status except 401, for which there is no key whose rate could be shown.
_WITH_KEY: Final = {200, 201, 202, 204, 304} | {kind.status.value for kind in KINDS.values()} - {
    401
}
COMMON_HEADERS: Final = [
    *headers(429, 503, Retry_After="The seconds to wait before another try."),
    *headers(
        *sorted({*_WITH_KEY, 401}),
        Cache_Control="`private, no-cache`: cache for this client only, revalidate with `If-None-Match`."
        " `no-store`: the answer has a secret.",
        Vary="`Authorization`: the answer depends on the key.",
    ),
    *headers(401, WWW_Authenticate="How to authenticate."),
    *headers(
        *sorted(_WITH_KEY),
        RateLimit_Policy="The rate limit of the key: `q` requests in `w` seconds.",
        RateLimit="The remaining requests (`r`), and the seconds until there is one more (`t`).",
    ),
    *headers(401, *sorted(_WITH_KEY), X_Request_ID="The id of this request in logs and events."),
]
_COMMON_NAMES: Final = {parameter.name for parameter in COMMON_HEADERS}


def body_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def answer_example(name: str, body: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True, status_codes=[str(status)])
