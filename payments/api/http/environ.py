"""Keys that the service adds to the WSGI environment of a request."""

from typing import Final

# The Content-Type that the client sent, if the wrapper has removed its charset.
SENT_CONTENT_TYPE: Final = "payments.content_type"
