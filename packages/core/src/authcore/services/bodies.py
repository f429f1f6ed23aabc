"""What the bodies of several rooms share."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from authcore.route import Private

Email = Annotated[str, Meta(min_length=1, max_length=320)]
PasswordText = Annotated[str, Meta(min_length=1, max_length=256)]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
ChallengeId = Annotated[str, Meta(min_length=1, max_length=200)]
Token = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]


class Body(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that refuses unknown fields (rule R2)."""


class DeviceBody(Body, frozen=True, kw_only=True):
    """What every route that makes a session may be told."""

    transport: Literal["cookie", "bearer"] | None = None
    device_id: ShortText | None = None
    device_name: ShortText | None = None


def asking_to_remember(body: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Answer a body that takes `remember_me` as well, where it is one of a route that makes a session."""
    if not issubclass(body, DeviceBody):
        return body
    return msgspec.defstruct(
        body.__name__,
        [("remember_me", bool, False)],
        bases=(body,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def remember_me(body: DeviceBody) -> bool | None:
    """Answer whether a body asks to be remembered; None where nobody may ask."""
    return getattr(body, "remember_me", None)


class MaybeTokens(Private, frozen=True, kw_only=True):
    """What every answer with a session may hold: the tokens, under bearer only (`transport.token_fields`)."""

    access_token: str | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET
