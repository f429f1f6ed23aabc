"""The bodies and answers of the room's routes."""

from __future__ import annotations

from typing import Literal

import msgspec

from authcore.services.accounts import User
from authcore.services.bodies import Body, ChallengeId, Code, Email, MaybeTokens, PasswordText, Token
from authcore.services.sessions import Session


class ChangeEmail(Body, frozen=True, kw_only=True):
    """The address to change to; the password stands for a fresh authentication."""

    new_email: Email
    current_password: PasswordText | None = None


class ConfirmChange(Body, frozen=True, kw_only=True):
    """The token of a link, or a challenge with its code."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None


class UndoChange(Body, frozen=True, kw_only=True):
    """The token of the link that the old address got."""

    token: Token


class ChangedEmailBody(MaybeTokens, frozen=True, kw_only=True):
    """The user with the other address, and the session, whose secret is another; tokens under bearer only."""

    user: User
    session: Session


class UndoneBody(msgspec.Struct, frozen=True, kw_only=True):
    """The address is the one before; nobody is signed in."""

    status: Literal["undone"] = "undone"
