"""The settings of drf-spectacular, which generates the OpenAPI document."""

from typing import Any, Final

SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "Payments",
    "DESCRIPTION": (
        "Submit payments, follow them, and decide on those that wait for review.\n\n"
        "Times are UTC in the format of RFC 3339. Amounts are integers in minor units of the currency."
        " Each address supports the methods in this document, and HEAD in addition to GET. Another method is"
        " a 405 (`method_not_allowed`) with the header `Allow`."
    ),
    "SERVERS": [{"url": "/", "description": "The server of this document."}],
    # The path holds the major version. Each addition increases the minor one.
    "VERSION": "1.12.0",
    "CONTACT": {"name": "The operator of this service"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "TAGS": [
        {"name": "payments", "description": "Submit, read, cancel and refund payments."},
        {
            "name": "review",
            "description": "Claim payments that wait for review, and decide on them.",
        },
        {"name": "disputes", "description": "Record the disputes that your provider reports."},
        {"name": "events", "description": "Follow the events of your payments."},
        {"name": "webhooks", "description": "Receive events as messages at your own addresses."},
        {"name": "policies", "description": "Read risk policies, and test them over history."},
        {"name": "statistics", "description": "Counts and volumes by day and currency."},
        {"name": "operation", "description": "See your key, and how current the read models are."},
    ],
    # Generated functions take their arguments in this order: path, required, headers last.
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
    "COMPONENT_SPLIT_PATCH": False,  # PATCH bodies have their own structs
    "POSTPROCESSING_HOOKS": [],  # the default hook would rename our enums
}
