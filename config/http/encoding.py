"""Decode forms and addresses as UTF-8, and ignore other charsets that the client declares.

With another charset (unicode_escape, utf-7) a client could send text that the database refuses, and recording
the request would fail. With some of them (hex) Django cannot even create the request.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

from payments.api.http.environ import SENT_CONTENT_TYPE

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Iterable[bytes]]


def utf_8(application: Application) -> Application:
    """Return the WSGI application with a wrapper that removes the charsets of requests."""

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].isascii():
            environ["PATH_INFO"] = _with_replacements(environ["PATH_INFO"])
        given = environ.get("CONTENT_TYPE", "")
        # A parameter with a star declares its own charset, for which Django raises an exception.
        if "charset" in given.lower() or "*" in given:
            environ[SENT_CONTENT_TYPE] = given
            environ["CONTENT_TYPE"] = _without_charset(given)
        return application(environ, start_response)

    return serve


def _with_replacements(path: str) -> str:
    """Replace bytes that are not UTF-8 by U+FFFD, as granian does. Django would decode them as Latin-1."""
    return path.encode("latin-1").decode(errors="replace").encode().decode("latin-1")


def _without_charset(given: str) -> str:
    try:
        kind, parameters = parse_header_parameters(given)
    except ValueError:
        return given.partition(";")[0].strip()
    boundary = parameters.get("boundary")
    return f'{kind}; boundary="{boundary}"' if boundary else kind
