"""The OpenAPI document over HTTP: rendered once, negotiated, cacheable."""

import gzip
import json
import os
import subprocess
import sys

import pytest
import yaml
from django.http import HttpResponse
from django.test import Client as Browser

from config.stack import place
from payments.api.openapi.document import rendered

PATH = "/api/schema/"

pytestmark = pytest.mark.slow


def ask(query: str = "", **headers: str) -> HttpResponse:
    return Browser().get(PATH + query, headers=headers)  # type: ignore[return-value]


def test_document_is_rendered_once() -> None:
    first = ask()
    before = rendered.cache_info().misses

    assert ask().content == first.content

    assert rendered.cache_info().misses == before


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", "application/vnd.oai.openapi"),
        ("", "application/json", "application/json"),
        ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("", "application/yaml", "application/yaml"),
        ("?format=json", "*/*", "application/vnd.oai.openapi+json"),
        ("?format=json", "application/json", "application/json"),
        ("?format=yaml", "*/*", "application/vnd.oai.openapi"),
    ],
)
def test_document_is_served_in_the_accepted_format(
    query: str, accept: str, media_type: str
) -> None:
    answer = ask(query, Accept=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    read = json.loads if "json" in media_type else yaml.safe_load
    assert read(answer.content) == json.loads(ask(Accept="application/json").content)


def test_unknown_format_is_refused() -> None:
    assert ask("?format=xml").status_code == 404
    assert ask(Accept="text/html").status_code == 406


def test_document_answers_304_while_unchanged() -> None:
    first = ask()
    assert first["Cache-Control"] == "public, max-age=300"

    again = ask(**{"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert ask(**{"If-None-Match": '"other"'}).status_code == 200


def test_document_has_the_same_etag_in_every_process() -> None:
    """Regression: problems with one status were in a set's order, which differs by process."""
    program = (
        "import django; django.setup();"
        "from payments.api.openapi.document import rendered;"
        "print(rendered('json', compressed=False)[1])"
    )

    tags = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=place.PROJECT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(tags) == 1


def test_each_format_of_the_document_has_its_own_etag() -> None:
    forms = [
        ask(Accept=accept, **{"Accept-Encoding": encoding})
        for accept in ("application/json", "application/yaml")
        for encoding in ("identity", "gzip")
    ]
    assert len({answer["ETag"] for answer in forms}) == 4
    for answer in forms:
        assert {"Accept", "Accept-Encoding"} <= set(answer["Vary"].split(", "))


def test_document_is_compressed_if_gzip_is_accepted() -> None:
    plain, small = ask(), ask(**{"Accept-Encoding": "br, gzip;q=0.5"})

    assert small["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 5
    assert "Content-Encoding" not in ask(**{"Accept-Encoding": "gzip;q=0, *"}).headers
