"""How the OpenAPI document is made: drf-spectacular's settings."""

from typing import Any, Final

SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "Payments",
    "DESCRIPTION": (
        "Submit payments, follow them, and decide on those that wait for review.\n\n"
        "Times are UTC, as RFC 3339 writes them; amounts are integers in minor units of their currency."
        " An address serves the methods that stand here, and HEAD wherever GET. Any other is a 405"
        " (`method_not_allowed`), whose `Allow` names them."
    ),
    "SERVERS": [{"url": "/", "description": "Where this document comes from."}],
    # The path has the major version. The minor one grows with each addition.
    "VERSION": "1.1.0",
    "CONTACT": {"name": "The operator of this service"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "TAGS": [
        {"name": "payments", "description": "Submit, read, cancel and refund payments."},
        {
            "name": "review",
            "description": "Claim payments that wait for review, and decide on them.",
        },
        {"name": "statistics", "description": "Counts and volumes by day and currency."},
        {"name": "operation", "description": "How current the read models are."},
    ],
    # Generated functions take their arguments in this order: what is addressed, then what is required.
    "SORT_OPERATION_PARAMETERS": lambda each: (
        each["in"] != "path",
        not each.get("required", False),
        each["in"] == "header",
    ),
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
    "POSTPROCESSING_HOOKS": [],  # theirs rename enums, and ours have names
}
