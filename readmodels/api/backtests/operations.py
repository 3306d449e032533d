"""The operations on risk policies and backtests in the OpenAPI document."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from payments.api.openapi import schemas
from payments.api.openapi.commands import (
    BODY,
    BODY_HEADERS,
    CORRELATION_ID,
    IDEMPOTENCY_KEY,
    KEY_PROBLEMS,
    REQUEST_ID,
)
from payments.api.openapi.components import (
    COMMON_HEADERS,
    answer_example,
    body_example,
    headers,
    refusals,
)
from payments.api.openapi.problem_examples import BACKTEST_ID, POLICY_ID
from readmodels.api.backtests.bodies import ID_PATTERN, BacktestBody
from readmodels.api.backtests.representation import (
    BacktestPage,
    BacktestWithResult,
    PolicyList,
    PolicyWithDocument,
)
from readmodels.api.parameters import LONGEST_PAGE, PAGE
from readmodels.api.schema import query, read
from readmodels.backtests.models import State

_TAGS: Final = ["policies"]
_STAFF: Final = (
    "Policies and backtests concern the payments of all clients. The key acts with the permissions of its"
    " member of staff."
)
_AT: Final = "2026-11-23T12:00:00.000000Z"
_POLICY: Final[dict[str, Any]] = {
    "id": POLICY_ID,
    "name": "Lower limits",
    "status": "proposed",
    "active": False,
    "rules": ["first_card_payment_large"],
    "proposed_at": _AT,
    "approved_at": None,
    "backtest_id": None,
}
_DOCUMENT: Final = {
    "rules": [
        {
            "reason": "first_card_payment_large",
            "points": 80,
            "when": [
                {"type": "first_card_payment"},
                {"type": "amount_over", "limits": {"USD": 800_000}},
            ],
        }
    ],
    "medium_from": 40,
    "high_from": 70,
    "review_over": {"USD": 800_000},
}
_BACKTEST: Final[dict[str, Any]] = {
    "id": BACKTEST_ID,
    "state": "queued",
    "policy_id": POLICY_ID,
    "baseline_policy_id": None,
    "since": 0,
    "upto": 4711,
    "known_at": _AT,
    "mode": "recorded",
    "sample_ppm": 1_000_000,
    "seed": 0,
    "mature_days": 90,
    "requested_by": "staff:7",
    "created_at": _AT,
    "finished_at": None,
    "error": None,
    "digest": None,
}
_WORK: Final = {"payments": 12, "minutes": 72, "reviewers": 1}
_RESULT: Final = {
    "verdict": "Of 391 payments, 2 would newly wait for review (1 fraud, 1 good, 0 unknown);"
    " $16,400.00 more held; about 12 more reviewer minutes.",
    "limits": ["100.0 % of the changed payments are known to be fraud or good."],
    "payments": 392,
    "evaluated": 391,
    "not_evaluable": 0,
    "not_sampled": 0,
    "left_out": 1,
    "flips": 2,
    "flips_ppm": 5_115,
    "flips_low_ppm": 1_403,
    "flips_high_ppm": 18_459,
    "known_ppm": 1_000_000,
    "drift": 0,
    "matrix": [
        {
            "baseline": "pass",
            "candidate": "review",
            "label": "fraud",
            "currency": "USD",
            "payments": 1,
            "amount": 820_000,
        }
    ],
    "rules": [
        {
            "rule": "first_card_payment_large",
            "fired": 14,
            "fired_fraud": 3,
            "fired_good": 8,
            "decisive": 14,
            "decisive_fraud": 3,
            "decisive_good": 8,
        }
    ],
    "baseline": _WORK,
    "candidate": _WORK | {"payments": 14, "minutes": 84},
}
_QUEUED: Final = _BACKTEST | {"parts_done": 0, "parts": 1, "result": None}
_DONE: Final = _BACKTEST | {
    "state": "done",
    "finished_at": _AT,
    "digest": "9f86d081" * 8,
    "parts_done": 1,
    "parts": 1,
    "result": _RESULT,
}
_ID: Final = OpenApiParameter(
    "backtest_id",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    description="The `id` of the backtest, in lower or upper case.",
    examples=[OpenApiExample("a backtest", BACKTEST_ID)],
)

LIST_POLICIES: Final = read(
    PolicyList,
    "List risk policies",
    "invalid_request",
    operation_id="list_policies",
    description=f"All of them, also the built-in one. {_STAFF}",
    shown={"policies": [_POLICY]},
    tags=_TAGS,
)
READ_POLICY: Final = read(
    PolicyWithDocument,
    "Read a risk policy",
    "invalid_request",
    "unknown_policy",
    operation_id="read_policy",
    description="The policy with its rules and limits. Amounts are in minor units.",
    shown=_POLICY | {"document": _DOCUMENT},
    tags=_TAGS,
    parameters=[
        OpenApiParameter(
            "policy_id",
            str,
            OpenApiParameter.PATH,
            description="The `id` of the policy.",
            pattern=ID_PATTERN,
            examples=[OpenApiExample("a policy", POLICY_ID)],
        )
    ],
)
LIST: Final = read(
    BacktestPage,
    "List backtests",
    "invalid_request",
    operation_id="list_backtests",
    description="The newest first, without their results.",
    shown={"backtests": [_BACKTEST], "next": None},
    tags=_TAGS,
    parameters=[
        query("state", "The state.", enum=State.values),
        query("policy_id", "The `id` of the tested policy."),
        query("cursor", "`next` of an earlier answer, with the same filters."),
        query("limit", f"The entries on a page; default {PAGE}.", schemas.integer(1, LONGEST_PAGE)),
    ],
)
READ: Final = read(
    BacktestWithResult,
    "Read a backtest",
    "invalid_request",
    "backtest_not_found",
    operation_id="read_backtest",
    description="Its progress, and its result as soon as it is `done`.",
    shown=_DONE,
    tags=_TAGS,
    parameters=[_ID],
)
CREATE: Final[dict[str, Any]] = {
    "operation_id": "create_backtest",
    "summary": "Test a risk policy over history",
    "description": "What would the policy have decided about past payments? Workers answer within seconds to"
    f" minutes. Poll the address in `Location`. {_STAFF}",
    "request": {"application/json": BacktestBody},
    "responses": {
        202: OpenApiResponse(
            BacktestWithResult, description="The backtest, which waits for a worker."
        ),
        **refusals(*BODY, *KEY_PROBLEMS, "unknown_policy", "too_many_backtests"),
    },
    "parameters": [
        IDEMPOTENCY_KEY,
        REQUEST_ID,
        CORRELATION_ID,
        *headers(
            202,
            Location="The backtest's address.",
            Idempotency_Replayed="`true` if this repeats the answer to an earlier request.",
        ),
        *BODY_HEADERS,
        *COMMON_HEADERS,
    ],
    "examples": [
        body_example("the last quarter", {"policy_id": POLICY_ID, "since": "2026-08-25"}),
        answer_example("an answer", _QUEUED, 202),
    ],
    "tags": _TAGS,
}
CANCEL: Final[dict[str, Any]] = {
    "operation_id": "cancel_backtest",
    "summary": "Cancel a backtest",
    "description": "It ends without a result. A repetition changes nothing, so it needs no Idempotency-Key.",
    "request": None,
    "responses": {
        200: OpenApiResponse(BacktestWithResult, description="The cancelled backtest."),
        **refusals(*BODY, "backtest_not_found", "backtest_ended"),
    },
    "parameters": [_ID, REQUEST_ID, CORRELATION_ID, *BODY_HEADERS, *COMMON_HEADERS],
    "examples": [answer_example("an answer", _QUEUED | {"state": "cancelled", "finished_at": _AT})],
    "tags": _TAGS,
}
