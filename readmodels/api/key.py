"""The caller's key: its client, scopes and rate limit, and the limits for payments."""

from typing import Annotated, ClassVar, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from msgspec import Meta, Struct
from rest_framework.request import Request

from payments import actors
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView
from payments.api.representation import json_response
from payments.clients.models import ApiKey, Scope
from payments.domain.methods import LIMITS, Method
from payments.domain.money import CURRENCIES, MAX_MINOR, exponent
from payments.domain.text import Moment, rfc3339
from readmodels.api import parameters, schema


class KeyClient(Struct, frozen=True):
    """The client to which the key belongs."""

    id: Annotated[UUID, Meta(description="The id of the client.")]
    name: Annotated[str, Meta(description="The name of the client.")]


class RateLimit(Struct, frozen=True):
    """The rate limit of the key."""

    requests: Annotated[
        int, Meta(description="The number of requests.", extra_json_schema={"minimum": 1})
    ]
    seconds: Annotated[
        int, Meta(description="The time in seconds.", extra_json_schema={"minimum": 1})
    ]


class MethodLimit(Struct, frozen=True):
    """The highest amount of one payment with a method in a currency."""

    method: Annotated[Method, Meta(description="The payment method.")]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    amount: Annotated[
        int,
        Meta(
            description="In minor units. A payment of more fails with `method_limit_exceeded`.",
            extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
        ),
    ]


class CurrencyView(Struct, frozen=True):
    """A currency of new payments."""

    code: Annotated[str, Meta(description="An ISO 4217 code.")]
    decimals: Annotated[
        int,
        Meta(
            description="The decimals of an amount: with 2, an `amount` of 1999 is 19.99.",
            extra_json_schema={"minimum": 0, "maximum": 3},
        ),
    ]


class KeyDetails(Struct, frozen=True, kw_only=True):
    """The key of the request, and what a payment may have."""

    client: Annotated[KeyClient, Meta(description="The client to which the key belongs.")]
    prefix: Annotated[
        str, Meta(description="The beginning of the key, by which the operator knows it.")
    ]
    label: Annotated[
        str, Meta(description="What the key is for, as the operator noted it. It may be empty.")
    ]
    scopes: Annotated[list[str], Meta(description="What the key permits. New scopes may be added.")]
    reviewer: Annotated[
        str | None,
        Meta(description="The id of the member of staff who acts with the key; null: nobody."),
    ]
    created_at: Annotated[Moment, Meta(description="The time of its creation (UTC).")]
    expires_at: Annotated[
        Moment | None, Meta(description="The time from which it is refused (UTC); null: never.")
    ]
    rate_limit: Annotated[RateLimit, Meta(description="The rate limit of the key.")]
    limits: Annotated[
        list[MethodLimit],
        Meta(description="The limits of the methods. Without one, the limit is that of `amount`."),
    ]
    currencies: Annotated[
        list[CurrencyView], Meta(description="The currencies of new payments, by code.")
    ]


_LIMITS: Final = [
    MethodLimit(method, currency, limit.minor)
    for method, limits in LIMITS.items()
    for currency, limit in sorted(limits.items())
]
_CURRENCIES: Final = [CurrencyView(code, exponent(code)) for code in sorted(CURRENCIES)]
_DOCUMENTED: Final = schema.read(
    KeyDetails,
    "Read your key",
    "invalid_request",
    operation_id="read_key",
    description="Whose key this is, what it permits and until when. Also the limits of the payment methods,"
    " and the decimals of each currency.",
    shown={
        "client": {"id": "0192f000-0000-4000-8000-00000000c001", "name": "Acme Ltd"},
        "prefix": "sk_1a2b3c4d",
        "label": "web shop",
        "scopes": ["payments:read", "payments:write"],
        "reviewer": None,
        "created_at": "2026-11-23T12:00:00.000000Z",
        "expires_at": None,
        "rate_limit": {"requests": 6_000, "seconds": 60},
        "limits": [{"method": "wallet", "currency": "JPY", "amount": 700_000}],
        "currencies": [{"code": "EUR", "decimals": 2}, {"code": "JPY", "decimals": 0}],
    },
    tags=["operation"],
)


class Key(KeyView):
    """Read the key of the request."""

    scopes: ClassVar = {"GET": tuple(Scope)}

    @extend_schema(**_DOCUMENTED)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        key = ApiKey.objects.select_related("client").get(pk=key_of(request).key_id)
        return json_response(_details(key))


def _details(key: ApiKey) -> KeyDetails:
    return KeyDetails(
        client=KeyClient(key.client.pk, key.client.name),
        prefix=key.prefix,
        label=key.label,
        scopes=sorted(key.scopes),
        reviewer=None if key.staff_id is None else actors.staff(key.staff_id),
        created_at=rfc3339(key.created_at),
        expires_at=rfc3339(key.expires_at),
        rate_limit=RateLimit(settings.API_RATE_PER_MINUTE, 60),
        limits=_LIMITS,
        currencies=_CURRENCIES,
    )
