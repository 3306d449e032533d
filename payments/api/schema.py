"""What the OpenAPI document is made of: the structs that read and answer, headers, problems, examples."""

from typing import Annotated, Any, Final

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api import problem_examples, problems


def _told(description: str, **more: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **more)


class ProblemDetails(msgspec.Struct):
    """RFC 9457, with a stable `code` and the id under which the logs know the request.

    What follows `errors` is told where it helps: of the payment, what it is now.
    """

    type: Annotated[str, _told("The address of the page that explains the code.")]
    title: Annotated[str, _told("What the code means, the same for each of its problems.")]
    status: Annotated[int, _told("The answer's HTTP status.")]
    code: Annotated[
        str,
        _told(
            "What to decide by: it is never renamed.",
            extra_json_schema={"enum": sorted(problems.KINDS)},
        ),
    ]
    detail: Annotated[str, _told("What is wrong with this request, for people to read.")]
    instance: Annotated[str, _told("The path that was asked.")]
    request_id: Annotated[str, _told("The request's id in logs and events.")]
    errors: Annotated[
        list[problems.FieldError] | None, _told("What is wrong with single fields, if that is it.")
    ] = None
    payment_id: Annotated[str | None, _told("The payment that has the reference already.")] = None
    payment_status: Annotated[str | None, _told("What the payment is now.")] = None
    version: Annotated[
        str | None, _told("How many events the payment has now: its `ETag` without the quotes.")
    ] = None
    decision: Annotated[str | None, _told("What was decided: `approved` or `rejected`.")] = None
    decided_by: Annotated[str | None, _told("Who decided: an id, never a name.")] = None
    claimed_by: Annotated[str | None, _told("Who reviews it: an id, never a name.")] = None
    claimed_until: Annotated[
        str | None, _told("When that claim ends, as a time of RFC 3339 in UTC.")
    ] = None
    deadline: Annotated[
        str | None, _told("Until when it can be decided, as a time of RFC 3339 in UTC.")
    ] = None
    refundable: Annotated[
        str | None, _told("How much is left to give back, in minor units of `currency`.")
    ] = None
    currency: Annotated[str | None, _told("The payment's, as an ISO 4217 code.")] = None


class ApiSchema(AutoSchema):
    """Shows each problem code once, however many operations refuse with it."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: Any = super().get_operation(*args, **kwargs)
        for answer in operation["responses"].values():
            content = answer.get("content", {}).get(problems.CONTENT_TYPE, {})
            shown = content.get("examples", {})
            for name, example in shown.items():
                component = ResolvedComponent(  # type: ignore[no-untyped-call]
                    name=name, type=ResolvedComponent.EXAMPLE, schema=example, object=name
                )
                self.registry.register_on_missing(component)
                shown[name] = component.ref
        return operation


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Lets a struct stand wherever drf-spectacular expects a serializer."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return str(self.target.__name__)

    def get_identity(self, auto_schema: AutoSchema, direction: Direction) -> str:
        # The components below know only their names, so a struct is known by its name too.
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        _, components = msgspec.json.schema_components(
            [self.target], ref_template="#/components/schemas/{name}"
        )
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
        return dict(own)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "payments.api.authentication.BearerAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key that `manage.py create_api_key` made: pk_...",
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
    """Responses for these problem codes and for those that every endpoint may answer."""
    by_status: dict[int, list[str]] = {}
    for code in sorted({*codes, *_EVERYWHERE}, key=lambda code: problems.KINDS[code].status):
        by_status.setdefault(problems.KINDS[code].status.value, []).append(code)
    return {
        (status, problems.CONTENT_TYPE): OpenApiResponse(
            ProblemDetails,
            description="; ".join(f"`{code}`: {problems.KINDS[code].title}" for code in found),
            examples=[_problem(code) for code in found],
        )
        for status, found in by_status.items()
    }


def _problem(code: str) -> OpenApiExample:
    return OpenApiExample(
        code,
        problem_examples.example(code),
        summary=problems.KINDS[code].title,
        response_only=True,
        media_type=problems.CONTENT_TYPE,
        status_codes=[str(problems.KINDS[code].status.value)],
    )


_NUMBERS: Final = {"X_Event_Position", "Retry_After"}


def headers(*statuses: int, **described: str) -> list[OpenApiParameter]:
    """Headers of answers with these statuses; an underscore stands for a hyphen."""
    return [
        OpenApiParameter(
            name.replace("_", "-"),
            int if name in _NUMBERS else str,
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
# Whatever an operation answers but 401: whose rate it would be is not known then.
_WITH_KEY: Final = {200, 201, 204, 304} | {
    kind.status.value for kind in problems.KINDS.values()
} - {401}
COMMON_HEADERS: Final = [
    *headers(429, 503, Retry_After="After how many seconds to try again."),
    *headers(401, WWW_Authenticate="How to authenticate."),
    *headers(
        *sorted(_WITH_KEY),
        RateLimit_Policy="The key's rate: `q` requests in `w` seconds.",
        RateLimit="How many requests are left (`r`), and in how many seconds there is one more (`t`).",
    ),
    *headers(401, *sorted(_WITH_KEY), X_Request_ID="The id of this request in logs and events."),
]


def body_example(name: str, body: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, body, request_only=True)


def answer_example(name: str, body: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, body, response_only=True, status_codes=[str(status)])
