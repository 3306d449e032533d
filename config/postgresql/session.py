"""What each session sets for itself, whatever the defaults of the database, the role or the server are.

It travels in the startup packet and costs no round trip. Not set: what an administrator means
(default_transaction_read_only, timeouts, synchronous_commit).
"""

from typing import Any, Final

import psycopg

# psycopg reads times in ISO style only, intervals in PostgreSQL's. In a snapshot older than the log's safe
# horizon a projection would miss what was committed between them.
_SETTINGS: Final = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # pg_catalog comes first unless it is named: no schema can hide PostgreSQL's functions.
    "search_path": "public",
}
# Those of which the server reports the value, and a pooler keeps it for a client that sets it.
_REPORTED: Final = {"DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC"}
_SET_REPORTED: Final = "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'"
_SPACE: Final = "\\ "
# What poolers say that know no options.
_REFUSALS: Final = ("startup parameter", "command-line options")


def options(given: str = "") -> str:
    """Return libpq's `options`; those that DATABASE_URL has come last, and prevail."""
    ours = (f"-c {name}={value.replace(' ', _SPACE)}" for name, value in _SETTINGS.items())
    return " ".join([*ours, given]).strip()


def connect(parameters: dict[str, Any]) -> psycopg.Connection[Any]:
    """Connect; through a pooler that takes no options, set what it keeps for its clients.

    The isolation level is not among it: there the role needs it as its own default.
    """
    try:
        connection = psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        if "options" not in parameters or not any(each in str(error) for each in _REFUSALS):
            raise
        return connect({name: value for name, value in parameters.items() if name != "options"})
    reported = connection.info.parameter_status
    if not all((reported(name) or "").startswith(value) for name, value in _REPORTED.items()):
        connection.execute(_SET_REPORTED)
        if not connection.autocommit:
            connection.commit()
    return connection
