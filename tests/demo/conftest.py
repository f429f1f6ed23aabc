"""The demos and the browsers of these tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Demo
from webdriver import Browser, browser, chromedriver, missing

pytest.register_assert_rewrite("people")
FRAMEWORKS = ("flask", "fastapi", "django", "litestar")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """A job in the background of a script ignores Ctrl+C, and whatever it starts would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def driver() -> Iterator[int]:
    """Run chromedriver; skip without one, fail in CI."""
    if sentence := missing():
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)
    with chromedriver() as port:
        yield port


@pytest.fixture(scope="session")
def browsers(driver: int) -> Iterator[dict[str, Browser]]:
    """Open a browser of a phone's size and one of a desktop's: starting them takes longer than most tests."""
    with browser(driver, (360, 740)) as phone, browser(driver, (1280, 800)) as desktop:
        yield {"phone": phone, "desktop": desktop}


@pytest.fixture
def phone(browsers: dict[str, Browser]) -> Browser:
    """A browser of a phone's size that remembers nothing."""
    browsers["phone"].forget()
    return browsers["phone"]


@pytest.fixture
def desktop(browsers: dict[str, Browser]) -> Browser:
    """A browser of a desktop's size that remembers nothing."""
    browsers["desktop"].forget()
    return browsers["desktop"]


@pytest.fixture(params=["phone", "desktop"])
def page(request: pytest.FixtureRequest) -> Browser:
    """The one and the other."""
    found: Browser = request.getfixturevalue(request.param)
    return found


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
