"""The reads of the HTTP API. A client sees only its own payments."""
