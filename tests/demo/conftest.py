"""The demos and the browsers of these tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Demo
from webdriver import Browser, browser, chromedriver, missing

FRAMEWORKS = ("flask", "fastapi", "django", "litestar")
PHONE, DESKTOP = (360, 740), (1280, 800)


@pytest.fixture(scope="session")
def driver() -> Iterator[int]:
    """Run chromedriver; skip without one, fail in CI."""
    if sentence := missing():
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)
    with chromedriver() as port:
        yield port


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def page(driver: int, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Open a browser of a phone's and of a desktop's size."""
    with browser(driver, *request.param) as opened:
        yield opened


@pytest.fixture
def phone(driver: int) -> Iterator[Browser]:
    """Open a browser of a phone's size."""
    with browser(driver, *PHONE) as opened:
        yield opened


@pytest.fixture
def desktop(driver: int) -> Iterator[Browser]:
    """Open a browser of a desktop's size."""
    with browser(driver, *DESKTOP) as opened:
        yield opened


@pytest.fixture(scope="module", params=FRAMEWORKS)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Serve the demo in each framework, to all tests of a module."""
    served = Demo(request.param, tmp_path_factory.mktemp(request.param))
    served.start()
    yield served
    served.end()


@pytest.fixture(params=FRAMEWORKS)
def own_demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """Serve the demo in each framework, to one test that ends it."""
    served = Demo(request.param, tmp_path)
    served.start()
    yield served
    served.kill()
