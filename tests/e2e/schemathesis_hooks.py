"""Hooks that teach schemathesis the API's rules that OpenAPI cannot express."""

import re
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

_KEY = "Idempotency-Key"
_UNKNOWN = "x-schemathesis-unknown-property"


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Give each command its own key. Otherwise most commands would be repetitions."""
    # Keep a key that schemathesis omitted or malformed deliberately.
    if re.fullmatch("[!-~]{1,255}", str(case.headers.get(_KEY) or "")):
        case.headers[_KEY] = str(uuid4())


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: schemathesis.Case[Any], response: Any
) -> bool:
    """Accept that the service ignores unknown headers, as HTTP requires."""
    return _UNKNOWN not in case.headers or not isinstance(failure, AcceptedNegativeData)
