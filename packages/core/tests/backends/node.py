"""One of several processes behind one address: takes connections of a shared socket, and says which process answers.

Arguments: the listening socket's descriptor, the database's URL, the strategy's name, Redis's URL, and a prefix in it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from authcore import Auth, AuthError, Password, Request, Result, Sessions, requirement
from authcore.backends.argon2 import CHEAP
from authcore.protocols import wsgi


def redis_store(url: str, prefix: str) -> Any:
    """Answer a store over a client of this process."""
    import redis

    from authcore.credentials import RedisCredentialStore

    return RedisCredentialStore(redis.Redis.from_url(url), prefix)


def named(strategy: str) -> Callable[[str, str], Any]:
    """Answer what is declared by its name alone."""
    return lambda url, prefix: strategy


STRATEGIES: dict[str, Callable[[str, str], Any]] = {
    "sql": named("sql"),
    "redis": redis_store,
    "jwt": named("jwt"),
    "sealed": named("sealed"),
}


def declare(database: str, strategy: str, redis_url: str, prefix: str, **settings: Any) -> Auth:
    """Answer the Auth that every process declares alike."""
    return Auth(
        dev_mode=True,
        secret="a secret of all processes, long enough",
        database=database,
        features=[Password(require_code=False), Sessions(bearer=STRATEGIES[strategy](redis_url, prefix))],
        hashing=CHEAP,
        limits=False,
        outbox="external",
        **settings,
    )


class Server(ThreadingMixIn, WSGIServer):
    """A server over a socket that listens already."""

    daemon_threads = True

    def __init__(self, descriptor: int, application: Any) -> None:
        super().__init__(("127.0.0.1", 0), Quiet, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=descriptor)
        self.server_name, self.server_port = self.socket.getsockname()
        self.setup_environ()
        self.set_app(application)


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def application(auth: Auth) -> Any:
    """Answer the application: the core's routes, one of its own behind a guard, and in each answer the process's id."""
    core = auth.blocking_core()

    def serve(request: Request) -> Result:
        if request.path != "/orders":
            return core.dispatch(request)
        try:
            core.authorize(request, requirement())
        except AuthError as error:
            return core.failure(error)
        return Result(200)

    def respond(environ: Any, start_response: Any) -> list[bytes]:
        body, fault = wsgi.read_body(environ, environ["wsgi.input"].read)
        result = serve(wsgi.request_of(environ, wsgi.path_of(environ), body, fault))
        start_response(f"{result.status} .", [*result.header_list(), ("X-Process", str(os.getpid()))])
        return [result.body or b""]

    return respond


if __name__ == "__main__":
    Server(int(sys.argv[1]), application(declare(*sys.argv[2:]))).serve_forever()
