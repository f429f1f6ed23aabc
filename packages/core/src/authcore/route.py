"""Routes as values, and the one router that all frameworks share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from authcore.errors import AuthError, ConfigurationError, MethodNotAllowed, NotFound
from authcore.http import Cookie
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.context import Context

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_PARAMETER_VALUE = r"([A-Za-z0-9._~-]{1,200})"


class Private(msgspec.Struct, frozen=True, kw_only=True):
    """A body or an answer that may carry secrets: its repr shows no field (rule O3)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Empty(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A body without fields."""


class Requirement(Value, frozen=True):
    """What a route, or an application's own route, asks of who calls it.

    `fresh` is the greatest age of the authentication; `default_fresh` takes the application's setting instead.
    `anonymous` lets users without an account in. `csrf` False leaves out the origin check of an unsafe request.
    `redirect` is a path of the own site: a browser that asks for a page is sent there instead of being refused
    (S79, S113). `scopes` are all needed. `guards` are named guards, the first that knows the sender decides; none named
    is the one that let the request in before, else the default one. `optional` lets nobody in, too.
    """

    verified: bool = False
    mfa: bool = False
    fresh: timedelta | None = None
    default_fresh: bool = False
    anonymous: bool = False
    csrf: bool = True
    redirect: str | None = None
    scopes: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    optional: bool = False


def check_parentheses(given: Sequence[object], write: str) -> None:
    """Raise ConfigurationError where `require` was handed what it guards: it stands without its parentheses."""
    if given:
        raise ConfigurationError(f"require stands without its parentheses: write {write}.")


SIGNED_IN = Requirement()
ANYBODY = Requirement(anonymous=True)
"""Whoever has a session, with or without an account."""
FRESH = Requirement(default_fresh=True)


class Answer(Value, frozen=True):
    """What a handler answers: a status, a struct that becomes the body, and cookies; `html` is a page instead.

    `cache` is for how many seconds anybody may keep it; None is for what nobody may (rule R9).
    """

    status: int
    value: msgspec.Struct | Mapping[str, Any] | None
    cookies: tuple[Cookie, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    html: str | None = None
    cache: int | None = None


Handler = Callable[["Context", Any], Awaitable[Answer]]


class Route(Value, frozen=True, kw_only=True):
    """One method on one path.

    `body` is the struct that the body must be, `answers` maps each success status to its struct.
    `needs` None is open to everyone. `mints` says that an answer may set a session cookie (rule R5).
    `limit` names a bucket counted for the client's address before the handler runs. `user_fields` lets the body take
    the editable fields of the application's users, `identifiers` what names a user beside its address; a `fallback`
    gives way to another room's route of its path. `scoped` lets in sessions that were given scopes, which are refused
    elsewhere: what rooms do to an account stands in no scope.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, type[msgspec.Struct] | None]
    body: type[msgspec.Struct] = Empty
    needs: Requirement | None = None
    mints: bool = False
    limit: str | None = None
    user_fields: bool = False
    identifiers: bool = False
    fallback: bool = False
    scoped: bool = False
    raises: tuple[type[AuthError], ...] = ()
    tag: str = ""

    @property
    def unsafe(self) -> bool:
        """Tell whether the route may change state."""
        return self.method in UNSAFE


@dataclass(slots=True)
class Router:
    """Find the route of a method and a path, below the mount prefix."""

    routes: tuple[Route, ...]
    _fixed: dict[str, dict[str, Route]] = field(init=False, default_factory=dict)
    _patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        patterns: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            table = patterns if _PARAMETER.search(route.path) else self._fixed
            methods = table.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"two routes answer {route.method} {route.path}")
            methods[route.method] = route
        self._patterns = [(_compile(path), methods) for path, methods in patterns.items()]

    def methods(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """Answer the routes at `path` by method, and the path's parameters; raise NotFound."""
        if (methods := self._fixed.get(path)) is not None:
            return methods, {}
        for pattern, methods in self._patterns:
            if match := pattern.match(path):
                return methods, match.groupdict()
        raise NotFound()

    def takes_body(self, method: str, path: str) -> bool:
        """Tell whether a request's body is read: who sends one elsewhere need not be waited for."""
        try:
            return self.find(method, path)[0].unsafe
        except AuthError:
            return False

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Answer the route and its parameters; raise NotFound, or MethodNotAllowed with `Allow`."""
        methods, params = self.methods(path)
        # RFC 9110 9.3.2: HEAD is GET without the body.
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise MethodNotAllowed(headers=(("Allow", allowed(methods)),))
        return route, params


def allowed(methods: Iterable[str]) -> str:
    """Answer the value of `Allow` (RFC 9110 10.2.1)."""
    names = {*methods, "OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))


def _compile(path: str) -> re.Pattern[str]:
    named = _PARAMETER.sub(
        lambda m: f"(?P<{m[1]}>{_PARAMETER_VALUE[1:-1]})",
        re.escape(path).replace(r"\{", "{").replace(r"\}", "}"),
    )
    return re.compile(named + r"\Z")
