"""What schemathesis must know of the API beyond its document."""

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
    """Each command has a key of its own, or most would be repetitions."""
    # One that is missing or malformed on purpose stays so.
    if re.fullmatch("[!-~]{1,255}", str(case.headers.get(_KEY) or "")):
        case.headers[_KEY] = str(uuid4())


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Any, case: schemathesis.Case[Any], response: Any
) -> bool:
    """A header that nobody knows is ignored, as HTTP says; it is no failure that it is not refused."""
    return _UNKNOWN not in case.headers or not isinstance(failure, AcceptedNegativeData)
