"""The operations on shadows in the OpenAPI document."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from payments.api.openapi.problem_examples import POLICY_ID, SHADOW_ID
from readmodels.api.backtests.operations import AT, PAGE_PARAMETERS, TAGS
from readmodels.api.backtests.shadow_representation import ShadowPage, ShadowWithDays
from readmodels.api.schema import query, read
from readmodels.backtests.models import ShadowState

_SHADOW: Final[dict[str, Any]] = {
    "id": SHADOW_ID,
    "policy_id": POLICY_ID,
    "state": "running",
    "since": 4711,
    "position": 5120,
    "started_by": "staff:7",
    "started_at": AT,
    "ended_at": None,
    "error": None,
    "days": 1,
    "payments": 391,
    "flips": 2,
}
_NONE: Final = {"active": 0, "shadow": 0}
_DAY: Final = {
    "date": "2026-11-23",
    "payments": 391,
    "not_evaluable": 0,
    "flips": 2,
    "reviews": {"active": 12, "shadow": 14},
    "blocks": _NONE,
    "amounts": [
        {
            "currency": "USD",
            "payments": 391,
            "flips": 2,
            "held": {"active": 14_000_000, "shadow": 15_640_000},
            "blocked": _NONE,
        }
    ],
}

LIST: Final = read(
    ShadowPage,
    "List shadows",
    "invalid_request",
    operation_id="list_shadows",
    description="Shadows evaluate proposed policies on new payments, next to the active policy. The newest"
    " come first, with the sums of their days.",
    shown={"shadows": [_SHADOW], "next": None},
    tags=TAGS,
    parameters=[
        query("state", "The state.", enum=ShadowState.values),
        query("policy_id", "The `id` of the observed policy."),
        *PAGE_PARAMETERS,
    ],
)
READ: Final = read(
    ShadowWithDays,
    "Read a shadow",
    "invalid_request",
    "shadow_not_found",
    operation_id="read_shadow",
    description="Each day, the active policy next to the shadow. It lags about a minute while it runs.",
    shown=_SHADOW
    | {
        "verdict": "Of 391 payments, 2 would newly wait for review; $16,400.00 more held; about 12 more"
        " reviewer minutes.",
        "limits": [
            "A shadow does not know which payments were fraud. A backtest over the same payments does."
        ],
        "digest": "9f86d081" * 8,
        "by_day": [_DAY],
    },
    tags=TAGS,
    parameters=[
        OpenApiParameter(
            "shadow_id",
            OpenApiTypes.UUID,
            OpenApiParameter.PATH,
            description="The `id` of the shadow, in lower or upper case.",
            examples=[OpenApiExample("a shadow", SHADOW_ID)],
        )
    ],
)
