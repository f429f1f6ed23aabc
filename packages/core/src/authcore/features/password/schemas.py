"""The bodies of the room's routes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from authcore.route import Private

Email = Annotated[str, Meta(min_length=1, max_length=320)]
PasswordText = Annotated[str, Meta(min_length=1, max_length=256)]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
ChallengeId = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]


class Body(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that refuses unknown fields (rule R2)."""


class DeviceBody(Body, frozen=True, kw_only=True):
    """What every route that makes a session may be told."""

    transport: Literal["cookie", "bearer"] | None = None
    device_id: ShortText | None = None
    device_name: ShortText | None = None


class SignUp(DeviceBody, frozen=True, kw_only=True):
    """Sign up."""

    email: Email
    password: PasswordText
    password_confirmation: PasswordText | None = None
    display_name: ShortText | None = None


class VerifySignUp(DeviceBody, frozen=True, kw_only=True):
    """Answer the code of a sign-up."""

    challenge_id: ChallengeId
    code: Code


class ResendSignUp(Body, frozen=True, kw_only=True):
    """Ask for the code again."""

    challenge_id: ChallengeId


class SignIn(DeviceBody, frozen=True, kw_only=True):
    """Sign in."""

    email: Email
    password: PasswordText


class Unlock(Body, frozen=True, kw_only=True):
    """The token of an unlock mail's link."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]


class UnlockedBody(msgspec.Struct, frozen=True):
    """The failures are forgotten."""

    status: Literal["unlocked"] = "unlocked"


class Anything(msgspec.Struct, frozen=True):
    """Any object: nothing of it is read."""
