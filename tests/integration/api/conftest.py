"""Reviewers who use the API."""

import pytest

from tests.support.api import ApiClient


@pytest.fixture
def ada() -> ApiClient:
    return ApiClient(staff="ada")


@pytest.fixture
def ben() -> ApiClient:
    return ApiClient(staff="ben")


@pytest.fixture
def grace() -> ApiClient:
    return ApiClient(staff="grace", senior=True)
