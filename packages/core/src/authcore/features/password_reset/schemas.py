"""The bodies of the room's routes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from authcore.services.bodies import Body, ChallengeId, Code, DeviceBody, Email, PasswordText, Token


class PasswordResetStatus(StrEnum):
    """How a broker's call ended; none tells whether an address has an account (rule A2)."""

    RESET_LINK_SENT = "reset_link_sent"
    RESET_THROTTLED = "reset_throttled"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of an outcome
    TOKEN_INVALID = "token_invalid"  # noqa: S105


class RequestReset(Body, frozen=True, kw_only=True):
    """Ask for a link and a code."""

    email: Email
    transport: Literal["cookie", "bearer"] | None = None


class RequestResetByEither(Body, frozen=True, kw_only=True):
    """Ask for a link and a code by mail, or for a code by text message: exactly one of them."""

    email: Email | None = None
    phone: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    transport: Literal["cookie", "bearer"] | None = None


class CheckReset(Body, frozen=True, kw_only=True):
    """Ask whether a link's token, or a code, would open: exactly one of them."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None


class CompleteReset(DeviceBody, frozen=True, kw_only=True):
    """Choose another password, by a link's token or by a code."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None
    new_password: PasswordText
    password_confirmation: PasswordText | None = None


class ResetValidBody(msgspec.Struct, frozen=True, kw_only=True):
    """It opens until `expires_at`."""

    status: Literal["valid"] = "valid"
    expires_at: datetime


class ResetDoneBody(msgspec.Struct, frozen=True, kw_only=True):
    """The password is another, and nobody is signed in."""

    status: Literal["reset"] = "reset"
