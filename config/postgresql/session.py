"""The settings of each session, which do not depend on the defaults of database, role and server.

They are part of the startup packet and cost no round trip. Administrators choose all other
settings, such as timeouts, default_transaction_read_only and synchronous_commit.
"""

from typing import Any, Final

import psycopg

# psycopg reads times in ISO style only, and intervals in PostgreSQL's style only. At a stricter
# isolation level, a projection would miss events: its snapshot would be older than the log's safe
# position.
_SETTINGS: Final = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # pg_catalog is searched first unless it is named, so no schema can shadow PostgreSQL's functions.
    "search_path": "public",
}
# The server reports these values, and a pooler keeps them for a client that sets them.
_REPORTED: Final = {"DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC"}
_SET_REPORTED: Final = "SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'"
_SPACE: Final = "\\ "
# Parts of the error messages of poolers that accept no options.
_REFUSALS: Final = ("startup parameter", "command-line options")


def options(given: str = "") -> str:
    """Return libpq's `options`. Those of DATABASE_URL come last and take precedence."""
    ours = (f"-c {name}={value.replace(' ', _SPACE)}" for name, value in _SETTINGS.items())
    return " ".join([*ours, given]).strip()


def connect(parameters: dict[str, Any]) -> psycopg.Connection[Any]:
    """Connect. If a pooler accepts no options, set the values that it keeps for its clients.

    A pooler does not keep the isolation level. The operator must set it as the role's default.
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
