"""Start the conformance target, and give it a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from figure import scratch
from serving import HERE

POSTGRES = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
DATABASES = ("sqlite", "postgresql")
COMMAND = (sys.executable, "-m", "authcore_conformance.target")
LEAVING = 15  # seconds until a target has ended its workers


@dataclass(frozen=True, slots=True)
class Target:
    """A running target: its process, its port and its database's URL."""

    process: subprocess.Popen[str]
    port: int
    database: str


@contextmanager
def served(database: str, *options: str, broken: str | None = None) -> Iterator[Target]:
    """Serve every room without limits on an empty database of a kind; `broken` names what is wrong with it."""
    command = (sys.executable, str(HERE / "broken.py"), broken) if broken else COMMAND
    with scratch() as folder, empty(database, folder) as url:
        told = (*command, "--database", url, "--mailbox", str(folder / "mails"), "--limits", "off", *options)
        with subprocess.Popen(told, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield Target(process, _port(process), url)
            finally:
                _end(process)


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"the target ended with status {process.wait()}: what it says stands above")
    return int(line.rpartition(":")[2].partition("/")[0])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(LEAVING)
    except subprocess.TimeoutExpired:
        process.kill()  # its servers end with it


@contextmanager
def empty(kind: str, folder: Path, label: str = "target") -> Iterator[str]:
    """Make an empty database, answer its URL, and remove it; `label` tells it from another one of the same run."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / label}.db"
        return
    name = f"authcore_bench_{os.getpid()}_{label}"
    _on_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    try:
        yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        _on_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _on_server(*statements: str) -> None:
    engine = engine_of(POSTGRES).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
    except sa.exc.OperationalError:
        sys.exit("PostgreSQL does not answer: start it, or say in AUTHCORE_TEST_POSTGRES where it is.")
    finally:
        engine.dispose()


def engine_of(url: str) -> sa.Engine:
    """Answer an engine that keeps no connection."""
    made = sa.make_url(url)
    driven = made.set(drivername="postgresql+psycopg") if made.get_backend_name() == "postgresql" else made
    return sa.create_engine(driven, poolclass=sa.NullPool)


def leaves(process: subprocess.Popen[str]) -> Sequence[int]:
    """Answer the processes below a target that have none below them: its workers (Linux alone)."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        below.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found, todo = [], [process.pid]
    while todo:
        children = below.get(pid := todo.pop(), [])
        todo += children
        found += [] if children else [pid]
    return found
