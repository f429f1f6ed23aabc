"""The process that serves the target: gunicorn or uvicorn on a socket that it inherits."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Any

from authcore_conformance.target_apps import application

WSGI = ("flask", "django")
GRACEFUL = 5  # seconds in which requests under way may end
PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Serve: `python -m authcore_conformance.target_server ADAPTER DESCRIPTOR WORKERS PARENT`."""
    adapter = sys.argv[1]
    descriptor, workers, parent = map(int, sys.argv[2:])
    end_with_parent(parent)
    if adapter in WSGI:
        serve_by_gunicorn(descriptor, workers)
    else:
        serve_by_uvicorn(descriptor)


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent is killed, so that no worker is left behind (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before the kernel was asked
        sys.exit("target: the process that started this server has ended.")


def serve_by_uvicorn(descriptor: int) -> None:
    """Serve ASGI. Forwarding headers are not believed: by default uvicorn believes those that loopback sends."""
    import uvicorn

    config = uvicorn.Config(application(), proxy_headers=False, log_level="warning", timeout_graceful_shutdown=GRACEFUL)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def serve_by_gunicorn(descriptor: int, workers: int) -> None:
    """Serve WSGI; each worker makes the application for itself.

    Forwarding headers are not believed: by default gunicorn takes SCRIPT_NAME and the scheme from what loopback sends.
    """
    from gunicorn.app.base import BaseApplication

    parent = os.getpid()

    class Target(BaseApplication):
        def load_config(self) -> None:
            self.cfg.set("bind", f"fd://{descriptor}")
            self.cfg.set("workers", workers)
            self.cfg.set("threads", 8)
            self.cfg.set("forwarded_allow_ips", "")
            self.cfg.set("loglevel", "warning")
            self.cfg.set("graceful_timeout", GRACEFUL)
            if "control_socket_disable" in self.cfg.settings:  # it would stand in the home folder
                self.cfg.set("control_socket_disable", True)

        def load(self) -> Any:
            end_with_parent(parent)
            return application()

    Target().run()


if __name__ == "__main__":
    main()
