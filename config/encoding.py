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
    """The WSGI application, which is not told of any other charset."""

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].isascii():
            environ["PATH_INFO"] = _with_replacements(environ["PATH_INFO"])
        given = environ.get("CONTENT_TYPE", "")
        # With a star, a parameter has a charset of its own, which Django refuses by an exception.
        if "charset" in given.lower() or "*" in given:
            environ[SENT_CONTENT_TYPE] = given
            environ["CONTENT_TYPE"] = _without_charset(given)
        return application(environ, start_response)

    return serve


def _with_replacements(path: str) -> str:
    """Bytes that are not UTF-8 become U+FFFD, as granian has it: Django would make other text of them."""
    return path.encode("latin-1").decode(errors="replace").encode().decode("latin-1")


def _without_charset(given: str) -> str:
    try:
        kind, parameters = parse_header_parameters(given)
    except ValueError:
        return given.partition(";")[0].strip()
    boundary = parameters.get("boundary")
    return f'{kind}; boundary="{boundary}"' if boundary else kind
