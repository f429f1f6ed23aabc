"""What names a user beside an address: which of it an application uses, and reading the one that a client sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from authcore.context import Context
from authcore.errors import field_error
from authcore.services.accounts import EMAIL_PASSWORD, PHONE, USERNAME, canonical_email, canonical_username
from authcore.services.bodies import Email
from authcore.services.phones import canonical_phone
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.feature import Feature

Username = Annotated[str, Meta(min_length=1, max_length=64)]
Phone = Annotated[str, Meta(min_length=1, max_length=64)]
_SHAPES: dict[str, Any] = {"username": Username, "phone": Phone}
_CANONICAL = {
    "email": (EMAIL_PASSWORD, canonical_email),
    "username": (USERNAME, canonical_username),
    "phone": (PHONE, canonical_phone),
}


class Identifiers(Value, frozen=True, kw_only=True):
    """The settings of `Account` that other rooms read: whether usernames and numbers name users too."""

    username: bool = False
    phone: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Answer the names of the fields that a client may send, the address first."""
        return ("email", *(name for name in _SHAPES if getattr(self, name)))


ADDRESS_ONLY = Identifiers()


def of(features: Iterable[Feature]) -> Identifiers:
    """Answer what the enabled rooms use."""
    shared = (value for feature in features for value in feature.shares)
    return next((value for value in shared if isinstance(value, Identifiers)), ADDRESS_ONLY)


def extended(body: type[msgspec.Struct], used: Identifiers) -> type[msgspec.Struct]:
    """Answer a body that names a user by any one of what is used, instead of by `email` alone."""
    if used == ADDRESS_ONLY:
        return body
    shapes = {"email": Email, **_SHAPES}
    fields = [(name, shapes[name] | None, None) for name in used.names]
    return msgspec.defstruct(
        body.__name__, fields, bases=(body,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )


def sent(body: msgspec.Struct) -> dict[str, str | None]:
    """Answer what a body of `extended` names a user by, as keywords."""
    return {name: getattr(body, name, None) for name in _CANONICAL}


def named(ctx: Context, *, email: str | None, username: str | None, phone: str | None) -> tuple[str, str]:
    """Answer the provider and the one spelling of what names a user; raise InvalidFields unless it is exactly one."""
    used: Identifiers = ctx.runtime.settings.get(Identifiers, ADDRESS_ONLY)
    values = {"email": email, "username": username, "phone": phone}
    given = {name: value for name, value in values.items() if value is not None}
    for name in given:
        if name not in used.names:
            raise field_error(name, "unknown", "There is no such field.")
    if not given:
        raise field_error("email", "missing", "This field is required.")
    (name, value), *more = given.items()
    if more:
        raise field_error(more[0][0], "invalid", "Send one name alone.")
    provider, canonical = _CANONICAL[name]
    return provider, canonical(value)
