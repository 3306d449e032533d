"""Which types and names files that staff attach may have."""

import pytest

from payments.domain import files
from payments.domain.files import FileRefused, MediaType
from payments.domain.text import TextError

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xd9"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PNG, MediaType.PNG),
        (JPEG, MediaType.JPEG),
        (PDF, MediaType.PDF),
        (b"Called back.\r\n\tDone \xe2\x9c\x93", MediaType.TEXT),
        (b"\xef\xbb\xbfWith a mark", MediaType.TEXT),
        (b"1 < 2", MediaType.TEXT),
        (PNG + b"<script>alert(1)</script>", MediaType.PNG),
        (PDF + b"<html><script>", MediaType.PDF),
    ],
    ids=["png", "jpeg", "pdf", "text", "bom", "less", "png polyglot", "pdf polyglot"],
)
def test_media_type_follows_from_the_content(content: bytes, found: MediaType) -> None:
    assert files.media_type(content) is found


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"\xef\xbb\xbf \n<html>",
        b"<svg onload='alert(1)'>",
        b"<?xml version='1.0'?>",
        b"<?php system($_GET[0]);",
        b"GIF89a/*\x00*/=1",
        b"MZ\x90\x00\x03",
        b"PK\x03\x04",
        b"\x7fELF",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"text with \x00 in it",
        b"\xfcber",
        b"\xff\xfet\x00e\x00x\x00t\x00",
        b"\x89PNG",
        b" %PDF-1.7 \xe2\xe3",
        b"GIF89a" + PNG,
    ],
)
def test_other_content_is_refused_whatever_it_claims_to_be(content: bytes) -> None:
    with pytest.raises(FileRefused, match="is not PNG, JPEG, PDF or plain text"):
        files.media_type(content)


def test_empty_and_too_large_files_are_refused() -> None:
    with pytest.raises(FileRefused, match="empty"):
        files.media_type(b"")
    files.media_type(PNG.ljust(files.LARGEST, b"\0"))
    with pytest.raises(FileRefused, match="larger than 5 MB"):
        files.media_type(PNG.ljust(files.LARGEST + 1, b"\0"))


def test_text_is_at_most_as_large_as_can_be_searched_for_card_numbers() -> None:
    assert files.media_type(b"x" * files.LARGEST_TEXT) is MediaType.TEXT
    with pytest.raises(FileRefused, match="text file is larger than 64 KB"):
        files.media_type(b"x" * (files.LARGEST_TEXT + 1))


def test_text_with_a_card_number_is_refused() -> None:
    with pytest.raises(FileRefused, match="card number"):
        files.media_type(b"paid with 4111 1111 1111 1111")


@pytest.mark.parametrize(
    ("given", "found", "stored"),
    [
        ("receipt.png", MediaType.PNG, "receipt.png"),
        ("Receipt.JPEG", MediaType.JPEG, "Receipt.JPEG"),
        ("receipt.pdf.exe", MediaType.PDF, "receipt.pdf.exe.pdf"),
        ("page.html", MediaType.TEXT, "page.html.txt"),
        ("receipt.png", MediaType.TEXT, "receipt.png.txt"),
        ("receipt", MediaType.PNG, "receipt.png"),
        ("../../etc/passwd", MediaType.TEXT, "passwd.txt"),
        ("C:\\Users\\ann\\שלום.pdf", MediaType.PDF, "שלום.pdf"),
        ("..", MediaType.PDF, "file.pdf"),
        ("", MediaType.PDF, "file.pdf"),
        (".txt", MediaType.TEXT, "txt.txt"),
        ('a"b<c>|d?.txt', MediaType.TEXT, "a_b_c__d_.txt"),
        ("a\u00a0b\u200f.txt", MediaType.TEXT, "a b.txt"),
        ("x" * 300 + ".png", MediaType.PNG, "x" * 116 + ".png"),
    ],
)
def test_name_has_no_folder_and_ends_as_its_type(given: str, found: MediaType, stored: str) -> None:
    assert files.name(given, found) == stored
    assert len(stored) <= files.LONGEST_NAME


@pytest.mark.parametrize(
    "given", ["exe.\u202egpj.txt", "a\x00b.txt", "a\nb.txt", "4111 1111 1111 1111.png"]
)
def test_name_with_misleading_characters_or_a_card_number_is_refused(given: str) -> None:
    with pytest.raises(TextError):
        files.name(given, MediaType.TEXT)
