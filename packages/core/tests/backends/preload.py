"""A server that loads its application before it forks: the parent uses everything, then its children do.

Arguments: the database's URL. Prints a line of JSON: what the parent and each child saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection

from authcore.backends.argon2 import CHEAP
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.ports import Count

CHILDREN = 3
SECONDS = 30  # after which a child that hangs is ended


def main() -> None:
    """Use the backends in the parent, in children of its fork, and in the parent again."""
    backends = Backends(Plan(sys.argv[1], hashing=CHEAP))
    backends.create_tables()
    parent = use(backends)
    stop = busy_thread(backends)
    children = [fork(backends) for _ in range(CHILDREN)]
    stop.set()
    seen = [json.loads(os.read(pipe, 10_000)) for pipe, _ in children]
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for _, process in children]
    again = use(backends)
    backends.dispose()
    print(json.dumps({"parent": parent, "children": seen, "codes": codes, "again": again}))


def fork(backends: Backends) -> tuple[int, int]:
    """Answer a pipe with what the child saw, and the child's id."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        os.write(theirs, json.dumps(use(backends)).encode())
        os._exit(0)
    os.close(theirs)
    return ours, process


def use(backends: Backends) -> dict[str, Any]:
    """Answer what each port answers in this process."""
    ports = backends.ports(Drive.BLOCKING)
    digest = run_blocking(ports.hasher.hash("correct horse"))
    inline = backends.inline()
    seen = {
        "connections": [run_blocking(ports.db.read(connection)), run_blocking(ports.db.write(connection))],
        "matches": run_blocking(ports.hasher.verify(digest, "correct horse")).needs_rehash is False,
        "count": run_blocking(ports.kv.increment([Count("uses", 1, ttl=600)])),
        "inline": inline is None or inline.read(one) == 1,
        "hops": asyncio.run(hops(backends)),
    }
    if sys.argv[1].startswith("postgresql"):
        seen["asyncio"] = asyncio.run(backends.ports(Drive.ASYNCIO).db.read(connection))
    return seen


async def hops(backends: Backends) -> list[bool]:
    """Tell whether each hop ran in another thread of this process."""
    here = threading.get_ident()
    return [await hop(threading.get_ident) != here for hop in (backends.flow_hop, backends.guard_hop)]


def busy_thread(backends: Backends) -> threading.Event:
    """Start a thread that reads and writes all the time, so that a fork finds locks held and connections in use."""
    stop, ports = threading.Event(), backends.ports(Drive.BLOCKING)

    def run() -> None:
        while not stop.is_set():
            run_blocking(ports.db.read(one))
            run_blocking(ports.kv.put("busy", b"", ttl=60))

    threading.Thread(target=run, daemon=True).start()
    return stop


def one(tx: Connection) -> int:
    """Answer 1."""
    return int(tx.execute(text("SELECT 1")).scalar_one())


def connection(tx: Connection) -> int:
    """Answer a number that tells one connection of a server from another; 0 on SQLite."""
    if tx.dialect.name == "sqlite":
        return 0
    return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())


if __name__ == "__main__":
    main()
