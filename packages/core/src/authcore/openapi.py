"""The OpenAPI 3.1 document, made from the routes. Component names begin with `Authcore`, so that they merge
into any document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from authcore.errors import (
    AccountRequired,
    AmbiguousCredentials,
    AuthError,
    BodyTooLarge,
    EmailNotVerified,
    HostNotAllowed,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidBody,
    InvalidFields,
    InvalidJson,
    NotAuthenticated,
    OriginNotAllowed,
    RateLimited,
    ReauthenticationRequired,
    Unavailable,
    UnsupportedMediaType,
)
from authcore.route import Empty, Requirement, Route
from authcore.services.accounts import PLAIN, UserShape
from authcore.services.user_fields import routes_of

if TYPE_CHECKING:
    from authcore.app import Auth
    from authcore.context import AppSettings
    from authcore.feature import Feature

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_REF = "#/components/schemas/Authcore{name}"
COOKIE_SCHEME, BEARER_SCHEME, HEADER_SCHEME = "authcoreCookie", "authcoreBearer", "authcoreHeader"


class FieldFailure(msgspec.Struct, frozen=True):
    """One wrong field."""

    field: str
    code: str
    message: str


class FailureDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stable code, a sentence, and for `invalid_fields` every wrong field."""

    code: str
    message: str
    details: list[FieldFailure] | None = None


class Failure(msgspec.Struct, frozen=True):
    """How every failure looks."""

    error: FailureDetail


def document(auth: Auth) -> dict[str, Any]:
    """Answer the document of an application."""
    return document_of(auth.settings, auth.features)


def document_of(app: AppSettings, features: Sequence[Feature]) -> dict[str, Any]:
    """Answer the document of the rooms that are enabled."""
    routes = routes_of(app, features)
    schemes = _schemes(app, features)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(app.prefix + route.path, {})[route.method.lower()] = _operation(app, route, schemes)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{app.product}: authentication", "version": "1"},
        "paths": paths,
        "components": {"schemas": _schemas(routes, app.user), "securitySchemes": schemes},
    }


def _schemes(app: AppSettings, features: Sequence[Feature]) -> dict[str, Any]:
    from authcore.services.cookies import cookie_name
    from authcore.services.sessions import SessionSettings

    cookie = {"type": "apiKey", "in": "cookie", "name": cookie_name(app, "session")}
    found: dict[str, Any] = {COOKIE_SCHEME: cookie, BEARER_SCHEME: {"type": "http", "scheme": "bearer"}}
    headers = (each.settings.header for each in features if isinstance(each.settings, SessionSettings))
    if header := next(headers, None):
        found[HEADER_SCHEME] = {"type": "apiKey", "in": "header", "name": header}
    return found


def _schemas(routes: Iterable[Route], shape: UserShape) -> dict[str, Any]:
    kinds: dict[type, None] = {Failure: None}
    for route in routes:
        for kind in (route.body, *route.answers.values()):
            if kind is not None and kind is not Empty:
                kinds[kind] = None
    _, components = msgspec.json.schema_components(tuple(kinds), ref_template=_REF)
    if shape is not PLAIN:
        # Answers are declared with `User`, and carry the application's own type of it.
        _, own = msgspec.json.schema_components((shape.kind,), ref_template=_REF)
        own["User"] = own.pop(shape.kind.__name__)
        components |= own
    return {f"Authcore{name}": schema for name, schema in components.items()}


def _operation(app: AppSettings, route: Route, schemes: Iterable[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [f"auth: {route.tag}"],
        "responses": _responses(app, route),
    }
    if names := _PARAMETER.findall(route.path):
        operation["parameters"] = [_parameter(name) for name in names]
    if route.body is not Empty:
        operation["requestBody"] = {"required": _required(route.body), "content": _json(route.body)}
    if route.needs is not None:
        operation["security"] = [{name: []} for name in schemes]
    return operation


def _operation_id(route: Route) -> str:
    return "authcore_" + re.sub(r"[^a-z0-9]+", "_", f"{route.method} {route.path}".lower()).strip("_")


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _required(body: type[msgspec.Struct]) -> bool:
    return any(field.required for field in msgspec.structs.fields(body))


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _responses(app: AppSettings, route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kind in route.answers.items():
        responses[str(status)] = {"description": "Done", **({"content": _json(kind)} if kind else {})}
    for status, codes in _failures(app, route).items():
        responses[str(status)] = {"description": " · ".join(sorted(codes)), "content": _json(Failure)}
    return responses


def _failures(app: AppSettings, route: Route) -> dict[int, set[str]]:
    raised: list[type[AuthError]] = [*route.raises, Unavailable]
    if app.dev_hosts is not None:
        raised.append(HostNotAllowed)
    if route.unsafe:
        raised += [InvalidJson, InvalidBody, OriginNotAllowed, BodyTooLarge, UnsupportedMediaType, InvalidFields]
    if route.limit is not None:
        raised.append(RateLimited)
    if route.needs is not None:
        raised += _refusals(route.needs)
        if not route.scoped:
            raised.append(InsufficientScope)
    found: dict[int, set[str]] = {}
    for error in raised:
        found.setdefault(error.status, set()).add(error.code)
    return found


def _refusals(needs: Requirement) -> Iterable[type[AuthError]]:
    yield from (NotAuthenticated, AmbiguousCredentials)
    if not needs.anonymous:
        yield AccountRequired
    if needs.verified:
        yield EmailNotVerified
    if needs.mfa:
        yield InsufficientUserAuthentication
    if needs.default_fresh or needs.fresh is not None:
        yield ReauthenticationRequired
