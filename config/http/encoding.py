"""Forms and addresses are UTF-8, whatever charset the client names.

In another one (unicode_escape, utf-7) it could send text that no database takes, and what fails then
is what was to be recorded of the request; of some (hex) Django cannot even make a request.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

from payments.api.http.environ import SENT_CONTENT_TYPE

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Iterable[bytes]]


def utf_8(application: Application) -> Application:
    """Return the WSGI application without the charsets that requests declare."""

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].isascii():
            environ["PATH_INFO"] = _with_replacements(environ["PATH_INFO"])
        given = environ.get("CONTENT_TYPE", "")
        # A parameter with a star has a charset of its own, for which Django raises an exception.
        if "charset" in given.lower() or "*" in given:
            environ[SENT_CONTENT_TYPE] = given
            environ["CONTENT_TYPE"] = _without_charset(given)
        return application(environ, start_response)

    return serve


def _with_replacements(path: str) -> str:
    """Replace bytes that are not UTF-8 by U+FFFD, as granian does. Django would decode them otherwise."""
    return path.encode("latin-1").decode(errors="replace").encode().decode("latin-1")


def _without_charset(given: str) -> str:
    try:
        kind, parameters = parse_header_parameters(given)
    except ValueError:
        return given.partition(";")[0].strip()
    boundary = parameters.get("boundary")
    return f'{kind}; boundary="{boundary}"' if boundary else kind
