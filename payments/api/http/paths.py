"""Converters for parts of addresses."""

from typing import Final

from django.urls import register_converter
from django.urls.converters import UUIDConverter

_NAME: Final = "any_case_uuid"


class AnyCaseUuid(UUIDConverter):
    """A UUID in any case (RFC 9562, section 4). Our own links use lower case."""

    regex = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


register_converter(AnyCaseUuid, _NAME)


def uuid(parameter: str) -> str:
    """Return the part of a route that takes a UUID as `parameter`."""
    return f"<{_NAME}:{parameter}>"
