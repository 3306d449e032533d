"""Files that staff attach to notes: the accepted types and names.

The content determines the type, and the type determines the extension of the name. A downloaded
file therefore cannot pose as another type.
"""

import re
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from payments.domain.card_numbers import holds_card_number
from payments.domain.text import TextError, checked_text

LARGEST: Final = 5 * 1024 * 1024
LARGEST_TEXT: Final = 64 * 1024  # bounds the time of the search for card numbers
MOST: Final = 3  # per note
LONGEST_NAME: Final = 120
ACCEPTED: Final = "PNG, JPEG, PDF or plain text (UTF-8)"


class MediaType(StrEnum):
    PNG = "image/png"
    JPEG = "image/jpeg"
    PDF = "application/pdf"
    TEXT = "text/plain"


# The usual extensions. A name with none of them gets the first one.
ENDS: Final = {
    MediaType.PNG: (".png",),
    MediaType.JPEG: (".jpg", ".jpeg"),
    MediaType.PDF: (".pdf",),
    MediaType.TEXT: (".txt",),
}
_BEGINNINGS: Final = {
    MediaType.PNG: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    MediaType.JPEG: b"\xff\xd8\xff",
    MediaType.PDF: b"%PDF-",
}
# HTML, SVG, XML and PHP begin like this. Such a file is text, but a program may run it.
_MARKUP: Final = re.compile(r"\s*<[a-z!?/%]", re.IGNORECASE)
_BINARY: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Characters with a special meaning in paths, shells or file systems.
_UNSAFE: Final = re.compile(r'[<>:"|?*]')


class AttachmentRef(Struct, frozen=True, gc=False):
    """A reference to a file of a note. The bytes are stored where they can be erased."""

    attachment_id: UUID
    digest: str  # hex SHA-256 of salt and bytes; the salt is stored with the bytes
    size: int
    media_type: str


class FileRefused(ValueError):
    """A file is not accepted. The message is for people and repeats neither name nor content."""


def media_type(content: bytes) -> MediaType:
    """Return the type of a file by its content. Raises FileRefused."""
    if not content:
        raise FileRefused("The file is empty.")
    if len(content) > LARGEST:
        raise too_large()
    for found, beginning in _BEGINNINGS.items():
        if content.startswith(beginning):
            return found
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _other_type() from None
    if _BINARY.search(text) or _MARKUP.match(text):
        raise _other_type()
    if len(content) > LARGEST_TEXT:
        raise FileRefused(f"The text file is larger than {LARGEST_TEXT // 1024} KB.")
    if holds_card_number(text):
        raise FileRefused("The text seems to contain a card number. Leave it out.")
    return MediaType.TEXT


def too_large() -> FileRefused:
    return FileRefused(f"The file is larger than {LARGEST // 1024**2} MB.")


def name(given: str, found: MediaType) -> str:
    """Return the name under which a file is stored, without folders. Raises TextError.

    The name has an extension of the type `found`.
    """
    given = given.replace("\\", "/").rpartition("/")[2]
    stem, dot, end = given.rpartition(".")
    stem, end = (stem, dot + end) if stem else (given, "")
    if end.lower() not in ENDS[found]:
        stem, end = stem + end, ENDS[found][0]
    try:
        stem = checked_text(stem, max_length=len(stem) or 1)
    except TextError as error:
        if error.code != "text_empty":
            raise
        stem = "file"
    stem = _UNSAFE.sub("_", stem)[: LONGEST_NAME - len(end)].strip(" .") or "file"
    return stem + end


def _other_type() -> FileRefused:
    return FileRefused(f"The file is not accepted: its content is not {ACCEPTED}.")
