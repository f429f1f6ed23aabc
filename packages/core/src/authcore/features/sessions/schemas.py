"""The bodies and answers of the room's routes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from authcore.route import Private
from authcore.services.accounts import User
from authcore.services.sessions import Session

Token = Annotated[str, Meta(min_length=1, max_length=200)]


class Body(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that refuses unknown fields (rule R2)."""


class Refresh(Body, frozen=True, kw_only=True):
    """Under bearer the refresh token; under cookies nothing."""

    refresh_token: Token | None = None


class SignOut(Body, frozen=True, kw_only=True):
    """A refresh token whose session should end too."""

    refresh_token: Token | None = None


class Reauthenticate(Body, frozen=True, kw_only=True):
    """Nothing starts a challenge; else a password, or the answer to the challenge."""

    password: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    challenge_id: Token | None = None
    code: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class RefreshedBody(Private, frozen=True, kw_only=True):
    """The session goes on; the token fields stand there under bearer only."""

    status: Literal["refreshed"] = "refreshed"
    session: Session
    access_token: str | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET


class ReauthenticatedBody(Private, frozen=True, kw_only=True):
    """The same session with a fresh `auth_time`; the token fields stand there under bearer only."""

    user: User
    session: Session
    access_token: str | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET


class SignedOutBody(msgspec.Struct, frozen=True):
    """Nobody is signed in any more, or nobody was."""

    status: Literal["signed_out"] = "signed_out"


class CurrentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in; both null when nobody is."""

    user: User | None
    session: Session | None


class UserBody(msgspec.Struct, frozen=True):
    """Who is signed in."""

    user: User


class SessionsBody(msgspec.Struct, frozen=True):
    """A user's live sessions, the latest first."""

    sessions: list[Session]


class EndedBody(msgspec.Struct, frozen=True):
    """How many sessions ended."""

    ended: int
