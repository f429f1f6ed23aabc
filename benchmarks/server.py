"""One worker that serves on an inherited socket: `python server.py [MODULE:]NAME DESCRIPTOR THREADS PARENT`.

The module's `ASGI` or `WSGI` makes the application of that name; it is `apps` unless another one is named.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from authcore_conformance.target_server import end_with_parent


def by_uvicorn(make: Callable[[], Any], descriptor: int) -> None:
    """Serve by uvicorn, with uvloop and httptools where they are installed."""
    import uvicorn

    config = uvicorn.Config(make(), proxy_headers=False, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def by_gunicorn(make: Callable[[], Any], descriptor: int, threads: int) -> None:
    """Serve by gunicorn's sync worker, or its threaded one."""
    from gunicorn.app.base import BaseApplication

    arbiter = os.getpid()

    class Bench(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            self.cfg.set("bind", f"fd://{descriptor}")
            self.cfg.set("threads", threads)
            self.cfg.set("loglevel", "warning")
            self.cfg.set("graceful_timeout", 1)
            if "control_socket_disable" in self.cfg.settings:  # it would stand in the home folder
                self.cfg.set("control_socket_disable", True)

        def load(self) -> Any:
            end_with_parent(arbiter)
            return make()

    Bench().run()


def main() -> None:
    """Serve until the parent ends."""
    named, descriptor, threads, parent = sys.argv[1], *map(int, sys.argv[2:])
    end_with_parent(parent)
    module, _, name = named.rpartition(":")
    made = import_module(module or "apps")
    if name in getattr(made, "ASGI", {}):
        by_uvicorn(made.ASGI[name], descriptor)
    else:
        by_gunicorn(made.WSGI[name], descriptor, threads)


if __name__ == "__main__":
    main()
