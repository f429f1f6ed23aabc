"""An application's own fields of its users: which there are, and which of them their owner may set (rule R2)."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from authcore.decode import to_struct
from authcore.errors import ConfigurationError, field_error
from authcore.route import Private, Route
from authcore.services import identifiers
from authcore.services.accounts import PLAIN, User, UserShape
from authcore.services.bodies import asking_to_remember
from authcore.services.sessions import SessionSettings

if TYPE_CHECKING:
    from authcore.context import AppSettings
    from authcore.feature import Feature

EDITABLE = "x-authcore-editable"
Editable = Meta(extra_json_schema={EDITABLE: True})
"""`plan: Annotated[str, Editable] = "free"`: the user may set the field, at sign-up and by `PATCH /me`."""


def shape_of(kind: Any) -> UserShape:
    """Answer the shape of an application's type of user; raise ConfigurationError, saying what to write."""
    if kind is None or kind is User:
        return PLAIN
    if not isinstance(kind, type) or not issubclass(kind, User):
        raise ConfigurationError("Auth(user=…) is a subclass of authcore.User: class Member(User, frozen=True, …).")
    if not kind.__struct_config__.frozen:
        raise ConfigurationError(
            f"{kind.__name__} is a user that changes: write class {kind.__name__}(User, frozen=True)."
        )
    own = [field for field in msgspec.structs.fields(kind) if field.name not in User.__struct_fields__]
    for field in own:
        _check(kind, field)
    extra = msgspec.defstruct(f"{kind.__name__}Fields", [(f.name, f.type, _default(f)) for f in own], frozen=True)
    settable = [(f.name, f.type | UnsetType, UNSET) for f in own if _editable(f.type)]
    editable = msgspec.defstruct(
        f"{kind.__name__}Editable", settable, bases=(Private,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    return UserShape(kind, extra, editable if settable else None)


def _check(kind: type, field: Any) -> None:
    if field.required:
        raise ConfigurationError(
            f"{kind.__name__}.{field.name} has no default: give one, for users who are there already."
        )
    if field.name != field.encode_name or keyword.iskeyword(field.name) or field.name.startswith("_"):
        raise ConfigurationError(f"{kind.__name__}.{field.name} is no name of a field: write it in snake_case.")
    try:
        msgspec.json.schema(field.type)
    except TypeError as error:
        raise ConfigurationError(f"{kind.__name__}.{field.name} has a type that JSON has not ({error}).") from None


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


def _editable(kind: Any) -> bool:
    return any(
        isinstance(meta, Meta) and (meta.extra_json_schema or {}).get(EDITABLE) is True
        for meta in getattr(kind, "__metadata__", ())
    )


def extended(body: type[msgspec.Struct], shape: UserShape) -> type[msgspec.Struct]:
    """Answer a body that takes the editable fields as well."""
    if shape.editable is None:
        return body
    fields = [(field.name, field.type, UNSET) for field in msgspec.structs.fields(shape.editable)]
    return msgspec.defstruct(
        body.__name__, fields, bases=(body,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )


def routes_of(app: AppSettings, features: Iterable[Feature]) -> list[Route]:
    """Answer the routes of rooms as this application serves them.

    Bodies take its own fields, what names its users and whether to remember them; fallbacks have given way.
    """
    features = tuple(features)
    routes = [route for feature in features for route in feature.routes]
    firm = {(route.method, route.path) for route in routes if not route.fallback}
    kept = [route for route in routes if not (route.fallback and (route.method, route.path) in firm)]
    used = identifiers.of(features)
    asks = any(isinstance(f.settings, SessionSettings) and f.settings.remember_me == "ask" for f in features)
    return [_as_served(route, app.user, used, asks=asks) for route in kept]


def _as_served(route: Route, shape: UserShape, used: identifiers.Identifiers, *, asks: bool) -> Route:
    body = extended(route.body, shape) if route.user_fields else route.body
    body = asking_to_remember(body) if asks else body
    return replace(route, body=identifiers.extended(body, used) if route.identifiers else body)


def given(body: msgspec.Struct, shape: UserShape) -> dict[str, Any]:
    """Answer the application's own fields that a body of `extended` sets, as they are stored."""
    if shape.editable is None:
        return {}
    values = {name: getattr(body, name, UNSET) for name in shape.editable.__struct_fields__}
    found: dict[str, Any] = msgspec.to_builtins({name: value for name, value in values.items() if value is not UNSET})
    return found


def checked(fields: dict[str, Any], shape: UserShape, *, editable: bool) -> dict[str, Any]:
    """Answer fields that a Python call gives, as they are stored; raise InvalidFields for all that do not fit."""
    kind = (shape.editable if editable else shape.extra) or Nothing
    if unknown := sorted(set(fields) - set(kind.__struct_fields__)):
        raise field_error(unknown[0], "unknown", "There is no such field.")
    value = to_struct(msgspec.to_builtins(fields), kind)
    found: dict[str, Any] = msgspec.to_builtins({name: getattr(value, name) for name in fields})
    return found


class Nothing(Private, frozen=True, forbid_unknown_fields=True):
    """No field: the application declares none."""
