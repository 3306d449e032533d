"""Upcasts for payment events that older code stored. See payments.events.upcasting."""

from collections.abc import Callable, Mapping
from typing import Any, Final

# By event type and stored schema version. Each function returns the document of the next version.
UPCASTS: Final[Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]] = {}
