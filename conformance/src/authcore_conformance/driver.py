"""The contract between the suite and one adapter: a driver mounts an application, sends requests and stops.

The application that `start` makes has authcore under `auth.prefix`, and below the root these routes of its own, guarded
by the adapter's own idiom (a decorator, a dependency, a guard). Bodies are JSON, with `Content-Type: application/json`:

=======================  ==========================  ===================================================================
route                    guarded by                  answers 200
=======================  ==========================  ===================================================================
GET /app/hello           require()                   {"email": the current user's}
POST /app/act            require()                   {"done": true}
POST /app/hook           require(csrf=False)         {"done": true}
GET /app/verified        require(verified=True)      {"email": …}
GET /app/mfa             require(mfa=True)           {"email": …}
GET /app/fresh           require(fresh="5m")         {"email": …}
GET /app/page            require(verified=True,      {"email": …}
                         redirect="/verify")
GET /app/anybody         require(anonymous=True)     {"email": … or null}
GET /app/scoped          require(scopes=             {"email": …}
                         "read write")
GET /app/api             require(guard="api")        {"email": …}; asked only where the scenario has such a guard
GET /app/optional        require(optional=True)      {"email": … or null}
GET, POST /app/open      nothing                     {"email": … or null}; it asks the idiom for the current user twice
GET /app/raise           nothing                     never: its handler raises `authcore.errors.Conflict()`
=======================  ==========================  ===================================================================

A refusal, of a guard or from a handler, is answered with the very status, headers and bytes of `core.failure(error)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from authcore import Auth

Mode = Literal["blocking", "threads", "asyncio"]


@dataclass(frozen=True)
class HttpRequest:
    """One request as it goes over the wire.

    `target` is the raw path with its query, percent-encoded as sent. `headers` go out in this order, repeated ones
    apart; they hold no Content-Length: a driver adds it where `body` is not empty. `peer` is the address from which the
    application sees the connection come.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    peer: str = "127.0.0.1"


@dataclass(frozen=True)
class HttpResponse:
    """One answer; `headers` holds all of them, repeated ones apart."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Build(Protocol):
    """What a scenario declares."""

    database_url: str

    def auth(self, **overrides: Any) -> Auth:
        """Answer the scenario's Auth; a driver may replace settings, such as `database=`."""
        ...


class Driver(Protocol):
    """One adapter under test: made once, without arguments; `start` and `stop` are called in pairs, many times.

    `name` is what test ids show. `mode` is how flows run: "blocking", "threads" or "asyncio" (PostgreSQL only).
    `gaps` names capabilities that the adapter lacks, each with its reason: the tests that need one run as strict xfail.
    """

    name: str
    mode: Mode
    gaps: Mapping[str, str]

    def start(self, build: Build) -> Auth:
        """Mount a fresh application: authcore under `auth.prefix`, the routes above; answer its Auth."""
        ...

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request to the application and answer what came back, redirects not followed, cookies not kept."""
        ...

    def stop(self) -> None:
        """Let go of everything that `start` made, the Auth's connections too."""
        ...


CAPABILITIES: Mapping[str, str] = {
    "any_method": "requests with a method that HTTP does not know reach the application",
    "client_address": "the application sees `HttpRequest.peer` as the address of the connection",
    "own_routes": "the application's own routes of the table above, and their guards",
    "repeated_headers": "a header that is sent twice reaches the application twice, or joined",
    "tenants": "a hook of the application names the tenant of a request",
}
"""What a driver may name in `gaps`; all else no adapter can do without."""
