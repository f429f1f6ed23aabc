"""From a URL to an engine: which driver, which settings, and when it is closed."""

from __future__ import annotations

import importlib.util
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import Pool

from authcore.backends import fork
from authcore.errors import ConfigurationError

POOL = {"pool_size": 10, "max_overflow": 10, "pool_timeout": 5, "pool_use_lifo": True}
CONNECT_TIMEOUT = 5  # seconds

_SPOKEN = ("sqlite", "postgresql")
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite+aiosqlite": "sqlite",
}
_MODULES = {
    "asyncpg": "asyncpg",
    "pg8000": "pg8000",
    "psycopg": "psycopg",
    "psycopg2": "psycopg2",
}
_PACKAGES = {"psycopg": "authcore[postgres]"}
_SQLITE_OPTIONS = {
    "cached_statements",
    "check_same_thread",
    "detect_types",
    "isolation_level",
    "timeout",
}
_BLOCKING_TWINS = {"asyncpg": "psycopg"}
_ASYNCIO_TWINS = {"psycopg2": "psycopg", "pg8000": "psycopg"}


def parse_url(text: str | URL) -> URL:
    """Answer the URL with the driver that authcore uses; raise ConfigurationError."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "database is no URL: write it as sqlite:///app.db or postgresql://user:password@host/name."
        ) from error
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    check_store(url)
    if url.get_backend_name() == "sqlite":
        _check_file(url)
    return _absolute(url)


def check_store(url: URL) -> None:
    """Raise ConfigurationError for a database that authcore does not store in."""
    if url.get_backend_name() not in _SPOKEN:
        raise ConfigurationError(
            f"database begins with {url.drivername}://: authcore stores in SQLite and PostgreSQL, "
            "so write sqlite:///app.db or postgresql://user:password@host/name."
        )


def check_folder(url: URL) -> URL:
    """Answer the URL; raise ConfigurationError for a file of SQLite in a folder that is not there."""
    if url.get_backend_name() == "sqlite" and not is_sqlite_memory(url) and "uri" not in url.query:
        folder = os.path.dirname(url.database or "")
        if not os.path.isdir(folder):
            raise ConfigurationError(f"database names a file in {folder}, which is no folder: make the folder first.")
    return url


def _check_file(url: URL) -> None:
    if url.host or url.username or url.password or url.port:
        raise ConfigurationError(
            "database names a host, which SQLite has not: write sqlite:///app.db, or sqlite:////folder/app.db."
        )
    unknown = set() if "uri" in url.query else set(url.query) - _SQLITE_OPTIONS
    if unknown:
        raise ConfigurationError(
            f"database has ?{min(unknown)}=…, which SQLite's driver would not heed: leave it out, "
            "or write sqlite:///file:app.db?…&uri=true."
        )


def _absolute(url: URL) -> URL:
    # A server may change its directory between the declaration and the first request.
    if url.get_backend_name() != "sqlite" or is_sqlite_memory(url) or "uri" in url.query:
        return url
    return url.set(database=os.path.abspath(url.database or ""))


def is_sqlite_memory(url: URL) -> bool:
    """Tell whether a SQLite URL names no file."""
    name = url.database or ""
    return name in ("", ":memory:") or ":memory:" in name or url.query.get("mode") == "memory"


def check_driver(url: URL) -> URL:
    """Answer the URL; raise ConfigurationError if its driver is not installed."""
    return _with_driver(url, {})


def blocking_url(url: URL) -> URL:
    """Answer the URL with a driver for blocking code; raise ConfigurationError if it is not installed."""
    return _with_driver(url, _BLOCKING_TWINS)


def asyncio_url(url: URL) -> URL:
    """Answer the URL with a driver for asyncio; raise ConfigurationError if it is not installed."""
    return _with_driver(url, _ASYNCIO_TWINS)


def _with_driver(url: URL, twins: dict[str, str]) -> URL:
    name, _, driver = url.drivername.partition("+")
    driver = twins.get(driver, driver)
    module = _MODULES.get(driver)
    if module and importlib.util.find_spec(module) is None:
        raise ConfigurationError(f"database needs {driver}, which is missing: {_remedy(driver)}.")
    found = url.set(drivername=f"{name}+{driver}" if driver else name)
    if driver and module is None:
        _check_known(found)
    return found


def _remedy(driver: str) -> str:
    # Who names another driver than psycopg has most often copied the URL.
    if driver in _ASYNCIO_TWINS:
        return f"write postgresql:// alone, for which pip install '{_PACKAGES['psycopg']}' brings the driver"
    return f"pip install '{_PACKAGES.get(driver, driver)}'"


def _check_known(url: URL) -> None:
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise ConfigurationError(
            f"database begins with {url.drivername}://, a driver that SQLAlchemy does not know: "
            f"write {url.get_backend_name()}:// alone."
        ) from None


def server_settings(url: URL) -> dict[str, Any]:
    """Answer what a server's engine is made with."""
    settings: dict[str, Any] = {"isolation_level": "READ COMMITTED", "hide_parameters": True}  # rule O3
    if url.get_driver_name() == "psycopg":
        settings["use_native_hstore"] = False  # asks the server for a type that authcore never uses
        if "connect_timeout" not in url.query:
            settings["connect_args"] = {"connect_timeout": CONNECT_TIMEOUT}
    return settings


class LazyEngine(fork.Lazy[Engine]):
    """An engine that authcore owns."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        super().__init__(make)
        self._retired: deque[Pool] = deque(maxlen=16)

    def close_idle(self) -> None:
        """Close every idle connection; one in use is closed when this is called again."""
        # A connection in use goes back to the pool that it came from, which nobody else remembers.
        for pool in self._retired:
            pool.dispose()
        engine = self.made()
        if engine is not None:
            self._retired.append(engine.pool)
            engine.dispose()

    def before_fork(self) -> None:
        """Leave as little as possible to the child."""
        self.close_idle()

    def after_fork_in_child(self) -> None:
        """Drop the parent's engine and pools, untouched."""
        fork.abandon(self._retired)
        self._retired = deque(maxlen=16)
        super().after_fork_in_child()
