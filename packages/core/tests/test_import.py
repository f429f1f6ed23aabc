"""What `import authcore` costs an application: no framework, no driver, nothing that only some features need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FRAMEWORKS = {
    "aiohttp",
    "bottle",
    "django",
    "fastapi",
    "flask",
    "litestar",
    "sanic",
    "starlette",
    "tornado",
    "werkzeug",
}
DRIVERS = {
    "MySQLdb",
    "aiomysql",
    "aiosqlite",
    "asyncmy",
    "asyncpg",
    "mariadb",
    "psycopg",
    "psycopg2",
    "psycopg_pool",
    "pymysql",
    "redis",
    "sqlite3",
}
LOOPS = {"anyio", "asgiref", "eventlet", "gevent", "trio", "uvloop"}
# What the core uses, but not before it is asked to: each costs the start of every process that never asks.
LAZY = {
    "_argon2_cffi_bindings",
    "alembic",
    "argon2",
    "authlib",
    "bcrypt",
    "click",
    "cryptography",
    "httpx2",
    "idna",
    "jinja2",
    "jwt",
    "mako",
    "nacl",
    "webauthn",
}
DIALECTS = {"sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"}
OWN = {"authcore.backends", "authcore.cli", "authcore.migrations", "authcore.testing"}
DECLARE = (
    "from authcore import Auth, Password\n"
    "Auth(secret='a secret of these tests, long enough', base_url='https://example.com', mailer=print,\n"
    "     database='sqlite:///nowhere.db', features=[Password()])\n"
)


def loaded(program: str) -> set[str]:
    """Answer the modules that a fresh interpreter has after a program."""
    ending = "\nimport json, sys; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program + ending], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(ran.stdout))


UNWANTED = {
    "frameworks": FRAMEWORKS,
    "drivers": DRIVERS,
    "loops": LOOPS,
    "lazy": LAZY,
    "dialects": DIALECTS,
    "own": OWN,
}


@pytest.mark.parametrize("unwanted", UNWANTED.values(), ids=UNWANTED)
def test_importing_loads_nothing_that_is_not_used(unwanted: set[str]) -> None:
    """`import authcore` loads no framework, no driver, no event loop's library, and no library before it is needed."""
    modules = loaded("import authcore")

    assert modules & unwanted == set()


def test_what_is_loaded_is_seen() -> None:
    """The measure itself works: what an interpreter imports is seen."""
    modules = loaded("import authcore, sqlite3, jinja2")

    assert {"authcore", "sqlite3", "jinja2", "msgspec", "sqlalchemy"} <= modules


def test_importing_adds_no_part_of_asyncio() -> None:
    """Whatever of asyncio SQLAlchemy loads by itself, authcore adds nothing to it, nor a pool of threads."""
    before = loaded("import msgspec, sqlalchemy")

    added = loaded("import authcore") - before

    assert not [name for name in added if name.partition(".")[0] in ("asyncio", "concurrent", "multiprocessing", "ssl")]


def test_declaring_loads_no_framework_and_no_loop() -> None:
    """An `Auth` at module level is a declaration: it loads no framework, no server's driver, no hashing, no Alembic."""
    modules = loaded(DECLARE)

    assert modules & (FRAMEWORKS | LOOPS | (DRIVERS - {"sqlite3"}) | (LAZY - {"cryptography"})) == set()
