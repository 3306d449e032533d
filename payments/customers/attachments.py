"""Store files attached to notes. The log has only their digests, so the files can be erased."""

import logging
import secrets
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from threading import Lock
from time import monotonic
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from msgspec import Struct

from payments.customers.mentions import Mentions
from payments.customers.models import Attachment, Note
from payments.domain import files
from payments.domain.files import AttachmentRef, FileRefused, MediaType

logger = logging.getLogger(__name__)

# Only one note is scanned at a time, so that a scanner that hangs cannot occupy all threads of the
# web server.
_SCAN_SECONDS: Final = 10.0  # for all files of a note
_WAIT_SECONDS: Final = 3.0
_scanning: Final = Lock()
_INFECTED: Final = 1  # the exit status of clamdscan and clamscan; others are failures


class File(Struct, frozen=True):
    """A file as it was uploaded."""

    name: str
    content: bytes


def write(note: Note, uploaded: Sequence[File]) -> list[Attachment]:
    """Return unsaved attachments of the note. Raises FileRefused, and TextError for a name."""
    if len(uploaded) > files.MOST:
        raise FileRefused(f"Attach at most {files.MOST} files to a note.")
    found = []
    for number, file in enumerate(uploaded, start=1):
        media_type = files.media_type(file.content)
        name = files.name(file.name, media_type)
        found.append(
            Attachment(
                id=uuid4(),
                note=note,
                number=number,
                name=name,
                media_type=media_type,
                size=len(file.content),
                salt=secrets.token_bytes(16),
                content=file.content,
            )
        )
    _scan(uploaded)
    return found


def reference(attachment: Attachment) -> AttachmentRef:
    """Return the reference to the attachment, as the event stores it."""
    return AttachmentRef(
        attachment.pk, attachment.digest, attachment.size, str(attachment.media_type)
    )


def content_digest(file: File) -> str:
    return sha256(file.content).hexdigest()


def without_content(ids: Iterable[UUID]) -> dict[UUID, Attachment]:
    """Return the attachments that were not erased, by id, without their bytes."""
    return Attachment.objects.defer("content", "salt").in_bulk(list(ids))


def erase_mentioning(
    mentioned: Mentions, *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Delete text files that mention a customer. Return how many. Other types are not searched."""
    erased = 0
    for read, attachment in enumerate(_texts(), start=1):
        if mentioned(bytes(attachment.content).decode(errors="replace")):
            attachment.delete()
            erased += 1
        progress(read)
    return erased


def _texts() -> Iterator[Attachment]:
    """Yield the text files one by one, because a page of them would take much memory."""
    texts = Attachment.objects.filter(media_type=MediaType.TEXT)
    for pk in list(texts.values_list("pk", flat=True)):
        yield from texts.filter(pk=pk)


def _scan(uploaded: Sequence[File]) -> None:
    """Raise FileRefused unless the configured scanner, if any, accepts the files."""
    command = settings.ATTACHMENT_SCANNER
    if not command or not uploaded:
        return
    if not _scanning.acquire(timeout=_WAIT_SECONDS):
        raise FileRefused("Other files are being checked for viruses. Try again in a moment.")
    try:
        end = monotonic() + _SCAN_SECONDS
        for file in uploaded:
            _scan_one(command, file.content, seconds=end - monotonic())
    finally:
        _scanning.release()


def _scan_one(command: Sequence[str], content: bytes, *, seconds: float) -> None:
    try:
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.error("The scanner of attachments does not work: %s", type(error).__name__)  # noqa: TRY400
        raise _not_scanned() from error
    if done.returncode == _INFECTED:
        logger.warning("The scanner refused an attachment.")
        raise FileRefused("The virus scanner refused the file.")
    if done.returncode:
        logger.error("The scanner of attachments ended with exit status %d.", done.returncode)
        raise _not_scanned()


def _not_scanned() -> FileRefused:
    return FileRefused("The virus scanner does not work, so the file was not accepted. Try later.")
