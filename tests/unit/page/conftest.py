"""The page in front of a Kestra that is not there: what is refused never comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from tests.conftest import settings_of

from taxistack.page import Served, served

USER, PASSWORD = "admin@taxistack.dev", "Right-password-1"


@pytest.fixture(scope="module")
def _kestra() -> SimpleNamespace:
    return SimpleNamespace()


@pytest.fixture(scope="module")
def address(_kestra, tmp_path_factory) -> Iterator[Served]:
    """The page, served as it is by the command."""
    target = SimpleNamespace(
        settings=settings_of(tmp_path_factory.mktemp("page")),
        kestra=lambda: _kestra,
        kestra_password=lambda: PASSWORD,
    )
    with served(target, 0) as page:
        yield page


@pytest.fixture
def kestra(_kestra) -> SimpleNamespace:
    """What a test wants Kestra to answer; nothing but its version by itself."""
    vars(_kestra).clear()
    _kestra.version = lambda: "2.0.0"
    return _kestra


@pytest.fixture
def page(_page, kestra) -> httpx.Client:
    """Calls the page as a browser that is logged in; a test changes what it sends."""
    return _page


@pytest.fixture(scope="module")
def _page(address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address.url, auth=(USER, PASSWORD), trust_env=False) as client:
        yield client
