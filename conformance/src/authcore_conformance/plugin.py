"""The pytest plugin: which drivers and databases the suite runs against.

`pytest --pyargs authcore_conformance.suite --authcore-driver module:Class [--authcore-database sqlite|postgresql]`

Loaded in every test run where the package is installed, so it imports nothing of weight and adds no fixture: those
stand in `authcore_conformance.fixtures`, which the suite's own conftest brings in.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from authcore_conformance.driver import Driver

REFERENCE = "authcore_conformance.core_driver:CoreDriver"
DATABASES = ("sqlite", "postgresql")
STRATEGIES = ("sql", "memory", "redis", "jwt", "sealed")
"""Where access credentials live: `authcore_conformance.strategies` makes them."""
_PARTS = ("name", "mode", "gaps", "start", "send", "stop")
_drivers = pytest.StashKey[dict[str, "Driver"]]()

pytest.register_assert_rewrite(
    "authcore_conformance.client",
    "authcore_conformance.ports",
    "authcore_conformance.scenarios",
    "authcore_conformance.world",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    group = parser.getgroup("authcore")
    group.addoption(
        "--authcore-driver",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="hold this adapter's driver against the suite; may be given several times",
    )
    group.addoption(
        "--authcore-database",
        action="append",
        default=[],
        choices=DATABASES,
        help="run on this database (sqlite unless told otherwise); may be given several times",
    )
    group.addoption(
        "--authcore-strategy",
        choices=STRATEGIES,
        default="sql",
        help="where access credentials live, in every scenario that says nothing of it (sql unless told otherwise)",
    )
    group.addoption(
        "--authcore-golden-write",
        action="store_true",
        help="write the golden transcripts anew, from what the one driver answers",
    )
    parser.addini("authcore_drivers", "drivers that the suite runs against", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Declare the suite's marker, and refuse golden files from anybody but the reference."""
    config.stash[_drivers] = {}
    if config.getoption("--authcore-golden-write") and config.getoption("--authcore-driver") != [REFERENCE]:
        raise pytest.UsageError(f"--authcore-golden-write is for {REFERENCE} alone: name it with --authcore-driver.")
    config.addinivalue_line(
        "markers",
        "ledger: the test is about access credentials in the ledger of sessions, whatever --authcore-strategy says",
    )
    config.addinivalue_line(
        "markers", "needs(capability): the test runs as strict xfail for a driver that declares the capability a gap"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Make the drivers that are named, so that a wrong name ends the run before anything is collected."""
    config = session.config
    if config.getoption("--authcore-driver") or config.getini("authcore_drivers") or _asks_for_suite(config):
        drivers(config)


def _asks_for_suite(config: pytest.Config) -> bool:
    # Without a driver each module of the suite would fail by itself, with the same words.
    places = (str(argument).replace("/", ".") for argument in config.args)
    return any(".authcore_conformance.suite" in f".{place}" for place in places)


def drivers(config: pytest.Config) -> dict[str, Driver]:
    """Answer the drivers of this run by what names them, each made once; raise UsageError for a wrong one."""
    found = config.stash[_drivers]
    for text in config.getoption("--authcore-driver") or config.getini("authcore_drivers"):
        if text not in found:
            found[text] = load(text, config.invocation_params.dir)
    if not found:
        raise pytest.UsageError(
            f"The conformance suite needs a driver: pass --authcore-driver module:Class, such as {REFERENCE}."
        )
    return found


def databases(config: pytest.Config) -> tuple[str, ...]:
    """Answer the databases of this run."""
    return tuple(dict.fromkeys(config.getoption("--authcore-database"))) or ("sqlite",)


def load(text: str, folder: Path) -> Driver:
    """Make the driver that `module:Class` names, as `folder` sees it; raise UsageError with what is wrong."""
    driver: Driver = _made(text, folder)
    for fault in _faults(driver):
        raise pytest.UsageError(f"--authcore-driver {text}: {fault}")
    return driver


def _made(text: str, folder: Path) -> Any:
    from importlib import import_module

    module, _, name = text.partition(":")
    if str(folder) not in sys.path:  # the script `pytest` leaves it out, unlike `python -m pytest`
        sys.path.insert(0, str(folder))
    try:
        kind = getattr(import_module(module), name)
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise pytest.UsageError(f"--authcore-driver {text}: write module:Class of a driver ({what}).") from None
    if not isinstance(kind, type):
        raise pytest.UsageError(f"--authcore-driver {text}: this is no class: write module:Class of a driver.")
    try:
        return kind()
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise pytest.UsageError(f"--authcore-driver {text}: it cannot be made without arguments ({what}).") from None


def _faults(driver: Driver) -> Iterator[str]:
    from authcore_conformance.driver import CAPABILITIES

    if missing := [name for name in _PARTS if not hasattr(driver, name)]:
        yield f"this is no driver, for it has no {', '.join(missing)}."
    gaps: object = driver.gaps
    if not isinstance(gaps, Mapping):
        yield "its gaps are no mapping from a capability to the reason."
    if driver.mode not in ("blocking", "threads", "asyncio"):
        yield f"its mode is {driver.mode!r}; write blocking, threads or asyncio."
    for gap, reason in driver.gaps.items():
        if gap not in CAPABILITIES:
            yield f"its gap {gap!r} is no capability; the suite knows {', '.join(sorted(CAPABILITIES))}."
        if not reason.strip():
            yield f"its gap {gap!r} has no reason."
