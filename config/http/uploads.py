"""Uploaded files: which requests may have them, and how Django receives them."""

import re
from io import BytesIO
from typing import Any, Final

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from payments.domain import files

# The URL that adds a note: see readmodels/admin/review/payments.py.
_NOTE: Final = re.compile(r"/admin/readmodels/paymentsummary/[0-9A-Fa-f-]{36}/note/")
# The files of one note, its text, and the form's overhead.
MOST_BYTES: Final = files.MOST * files.LARGEST + 256 * 1024


def may_upload(method: str, path: str) -> bool:
    """Return whether the body of the request may be large."""
    return method == "POST" and _NOTE.fullmatch(path) is not None


class MemoryHandler(FileUploadHandler):
    """Keep uploaded files in memory. Django's handlers would write personal data to the disk.

    A file that is too large is truncated. Its `size` stays the full one, so that it is refused.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._received = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= files.LARGEST:
            self._received.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self._received.seek(0)
        return InMemoryUploadedFile(
            file=self._received,
            field_name=self.field_name,
            name=self.file_name or "file",
            content_type=self.content_type or "",
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
