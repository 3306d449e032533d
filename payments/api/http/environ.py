"""Keys that the WSGI application adds to a request's environment."""

from typing import Final

# The Content-Type as it was sent, where Django is shown another one.
SENT_CONTENT_TYPE: Final = "payments.content_type"
