"""Collect the log lines of a test in their written form."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


@contextmanager
def collected() -> Iterator[io.StringIO]:
    """Collect all log lines until the block ends, including those of every request."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    formats = settings.LOGGING["formatters"]["structured"]
    handler.setFormatter(
        formats["()"](
            processor=formats["processor"], foreign_pre_chain=formats["foreign_pre_chain"]
        )
    )
    root, requests = logging.getLogger(), logging.getLogger("django_structlog")
    level = requests.level
    root.addHandler(handler)
    requests.setLevel(logging.INFO)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        requests.setLevel(level)
