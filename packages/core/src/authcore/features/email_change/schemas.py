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


class ChangeEmail(Body, frozen=True, kw_only=True):
    """The address to change to; the password stands for a fresh authentication."""

    new_email: Annotated[str, Meta(min_length=1, max_length=320)]
    current_password: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class ConfirmChange(Body, frozen=True, kw_only=True):
    """The token of a link, or a challenge with its code."""

    token: Token | None = None
    challenge_id: Token | None = None
    code: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class UndoChange(Body, frozen=True, kw_only=True):
    """The token of the link that the old address got."""

    token: Token


class ChangedEmailBody(Private, frozen=True, kw_only=True):
    """The user with the other address, and the session, whose secret is another; tokens under bearer only."""

    user: User
    session: Session
    access_token: str | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    expires_in: int | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    refresh_expires_in: int | UnsetType = UNSET


class UndoneBody(msgspec.Struct, frozen=True, kw_only=True):
    """The address is the one before; nobody is signed in."""

    status: Literal["undone"] = "undone"
