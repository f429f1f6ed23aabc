"""One of several processes behind one address whose keys change; it ends when it has answered what it took.

Argument: the listening socket's descriptor. What all of them declare stands in the variable DECLARED as JSON, so
`authcore … --app rotating_node:declared` finds the same application.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from datetime import timedelta
from typing import Any

from node import Server, application

from authcore import Auth, JwtStrategy, Password, Sessions
from authcore.backends.argon2 import CHEAP
from authcore.backends.system import OffsetClock

VARIABLE = "DECLARED"
ORIGIN = "http://127.0.0.1:8000"
ACCESS = timedelta(minutes=10)


def declare(told: dict[str, Any], **settings: Any) -> Auth:
    """Answer the Auth of a declaration: `database`, `secret`, `algorithm`, `clock` (a file), `codes` at sign-up."""
    sessions = Sessions(
        bearer=JwtStrategy(algorithm=told["algorithm"]),
        cookie="sealed",
        cookie_refresh=True,
        access_ttl=ACCESS,
        grace=timedelta(minutes=5),
    )
    return Auth(
        dev_mode=True,
        secret=told["secret"],
        base_url=ORIGIN,
        database=told["database"],
        features=[Password(require_code=told["codes"]), sessions],
        hashing=CHEAP,
        limits=False,
        outbox="external",
        clock=OffsetClock(told["clock"]),
        **settings,
    )


def declared() -> Auth:
    """Answer the Auth that the environment declares."""
    return declare(json.loads(os.environ[VARIABLE]))


class Draining(Server):
    """A server that stops taking connections when it is told to, and ends when those it took are answered."""

    daemon_threads = False

    def __init__(self, descriptor: int, application: Any) -> None:
        super().__init__(descriptor, application)
        # Of the processes that are woken by one connection those that come late go back to waiting.
        self.socket.setblocking(False)

    def stop(self, *_: object) -> None:
        """Take no further connection."""
        threading.Thread(target=self.shutdown).start()


if __name__ == "__main__":
    auth = declared()
    server = Draining(int(sys.argv[1]), application(auth))
    signal.signal(signal.SIGTERM, server.stop)
    server.serve_forever(0.05)
    server.server_close()
    auth.dispose()
