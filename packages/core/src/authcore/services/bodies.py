"""What the bodies of several rooms share."""

from __future__ import annotations

from typing import Annotated, Literal

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


class MaybeTokens(Private, frozen=True, kw_only=True):
    """What every answer with a session may hold: the tokens, under bearer only (`transport.token_fields`)."""

    access_token: str | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET
