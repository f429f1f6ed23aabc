"""The bodies of the room's routes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from authcore.services.accounts import User
from authcore.services.bodies import (
    Body,
    ChallengeId,
    Code,
    DeviceBody,
    Email,
    MaybeTokens,
    PasswordText,
    ShortText,
    Token,
)
from authcore.services.sessions import Session


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
    remember_token: Token | None = None


class NewPassword(Body, frozen=True, kw_only=True):
    """Answer a sign-in that asks for another password."""

    challenge_id: ChallengeId
    new_password: PasswordText
    password_confirmation: PasswordText | None = None


class ChangePassword(Body, frozen=True, kw_only=True):
    """Replace one's password."""

    current_password: PasswordText | None = None
    new_password: PasswordText
    password_confirmation: PasswordText | None = None


class VerifyPasswordChange(Body, frozen=True, kw_only=True):
    """Answer the code of a change."""

    challenge_id: ChallengeId
    code: Code


class SetPassword(Body, frozen=True, kw_only=True):
    """Set a first password."""

    new_password: PasswordText
    password_confirmation: PasswordText | None = None


class PasswordUpdatedBody(MaybeTokens, frozen=True, kw_only=True):
    """The password is another; the token fields stand there under bearer only."""

    updated_at: datetime
    user: User
    session: Session


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a password must be, in numbers. Common, personal and breached ones are refused as well."""

    min_length: int
    max_length: int
    require_lowercase: bool
    require_uppercase: bool
    require_number: bool
    require_symbol: bool


class Unlock(Body, frozen=True, kw_only=True):
    """The token of an unlock mail's link."""

    token: Token


class UnlockedBody(msgspec.Struct, frozen=True):
    """The failures are forgotten."""

    status: Literal["unlocked"] = "unlocked"


class Anything(msgspec.Struct, frozen=True):
    """Any object: nothing of it is read."""
