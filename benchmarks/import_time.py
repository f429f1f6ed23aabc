"""What `import authcore` brings along, and how long it takes over the libraries that it is built on."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

from figure import Effort, Figure, at_most, under

BASE = "import msgspec, sqlalchemy"
WHOLE = "import msgspec, sqlalchemy, authcore"
TIMED = "from time import perf_counter; began = perf_counter(); {}; print((perf_counter() - began) * 1000)"
# What an application chooses, and therefore loads itself.
FOREIGN = (
    *("django", "fastapi", "flask", "litestar", "quart", "sanic", "starlette", "werkzeug"),
    *("aiomysql", "aiosqlite", "asyncpg", "mysql", "pg8000", "psycopg", "psycopg2", "pymysql", "redis", "sqlite3"),
)
LOADED = f"import sys, authcore; print(len(set({FOREIGN!r}) & set(sys.modules)))"


def measure(effort: Effort) -> list[Figure]:
    """Import in fresh interpreters, with and without authcore in turns, from compiled modules as installed ones are."""
    _run(LOADED)  # compiles what is not yet
    over = median(_run(TIMED.format(WHOLE)) - _run(TIMED.format(BASE)) for _ in range(effort.rounds * 2 + 1))
    return [
        under("import: authcore, ms over msgspec and sqlalchemy", over, 60.0),
        at_most("import: frameworks and drivers that authcore loads", _run(LOADED), 0),
    ]


def _run(program: str) -> float:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=own, capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stdout)
