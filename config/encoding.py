"""Forms and addresses are UTF-8, whatever charset the client names.

In another one (unicode_escape, utf-7) it could send text that no database takes, and what fails then
is what was to be recorded of the request; of some (hex) Django cannot even make a request.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

Environment = dict[str, Any]
Application = Callable[[Environment, Any], Iterable[bytes]]


def utf_8(application: Application) -> Application:
    """The WSGI application, which is not told of any other charset."""

    def serve(environ: Environment, start_response: Any) -> Iterable[bytes]:
        given = environ.get("CONTENT_TYPE", "")
        if "charset" in given.lower():
            kind, parameters = parse_header_parameters(given)
            boundary = parameters.get("boundary")
            environ["CONTENT_TYPE"] = f'{kind}; boundary="{boundary}"' if boundary else kind
        return application(environ, start_response)

    return serve
