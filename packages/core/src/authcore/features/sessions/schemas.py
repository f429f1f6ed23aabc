"""The bodies and answers of the room's routes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from authcore.services.accounts import User
from authcore.services.bodies import Body, ChallengeId, Code, Email, MaybeTokens, PasswordText, ShortText, Token
from authcore.services.sessions import Session
from authcore.values import Value


class ManagedUser(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom an application signs in after a check of its own.

    `email_verified` says that it has proven the address itself. Whoever has the address is who signs in.
    """

    email: Email
    display_name: ShortText | None = None
    email_verified: bool = False
    roles: (
        Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]], msgspec.Meta(max_length=50)] | None
    ) = None


class Refresh(Body, frozen=True, kw_only=True):
    """Under bearer the refresh token; under cookies nothing."""

    refresh_token: Token | None = None


class SignOut(Body, frozen=True, kw_only=True):
    """A refresh token whose session should end too."""

    refresh_token: Token | None = None


class Reauthenticate(Body, frozen=True, kw_only=True):
    """Nothing starts a challenge; else a password, or the answer to the challenge."""

    password: PasswordText | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None


class RefreshedBody(MaybeTokens, frozen=True, kw_only=True):
    """The session goes on; the token fields stand there under bearer only."""

    status: Literal["refreshed"] = "refreshed"
    session: Session


class ReauthenticatedBody(MaybeTokens, frozen=True, kw_only=True):
    """The same session with a fresh `auth_time`; the token fields stand there under bearer only."""

    user: User
    session: Session


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
