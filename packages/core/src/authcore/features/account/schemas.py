"""The bodies and answers of the room's routes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from authcore.route import Private
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
from authcore.services.challenges import ChallengeView
from authcore.services.identifiers import Phone, Username
from authcore.services.sessions import Session

Locale = Annotated[str, Meta(min_length=2, max_length=35)]

# --- the profile ---


class UpdateProfile(Body, frozen=True, kw_only=True):
    """What is to change; null clears, what is left out stays."""

    display_name: ShortText | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET


class UpdateNamedProfile(UpdateProfile, frozen=True, kw_only=True):
    """The same, with the username."""

    username: Username | UnsetType | None = UNSET


class ProfileBody(msgspec.Struct, frozen=True):
    """The user as it is from here on."""

    user: User


class ExportBody(Private, frozen=True, kw_only=True):
    """All that is stored of the user: rows by table, with what is personal of them; times are RFC 3339 in UTC."""

    exported_at: datetime
    user: User
    data: dict[str, list[dict[str, Any]]]


# --- what identifies a user ---


class Secret(Body, frozen=True, kw_only=True):
    """The token of a link, or a challenge with its code."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None


class NameEmail(Body, frozen=True, kw_only=True):
    """One address."""

    email: Email


class NamePhone(Body, frozen=True, kw_only=True):
    """One number, with its country."""

    phone: Phone


class AnswerCode(Body, frozen=True, kw_only=True):
    """A challenge with its code."""

    challenge_id: ChallengeId
    code: Code


class EmailEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An address that opens the account."""

    email: str
    primary: bool
    verified: bool


class EmailsBody(msgspec.Struct, frozen=True):
    """The account's addresses, the primary one first."""

    emails: list[EmailEntry]


class ChangedBody(MaybeTokens, frozen=True, kw_only=True):
    """The user, and the session, whose secret is another where others ended; tokens under bearer only."""

    user: User
    session: Session


# --- invitations ---


class InviteEmail(Body, frozen=True, kw_only=True):
    """Whom to invite."""

    email: Email


class Invite(Body, frozen=True, kw_only=True):
    """Whom to invite: an address or a number."""

    email: Email | None = None
    phone: Phone | None = None


class AcceptInvitation(DeviceBody, frozen=True, kw_only=True):
    """The token of a link, or a challenge or the invited address or number with its code; and who comes."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    email: Email | None = None
    phone: Phone | None = None
    code: Code | None = None
    password: PasswordText | None = None
    password_confirmation: PasswordText | None = None
    display_name: ShortText | None = None


class InvitedBody(msgspec.Struct, frozen=True, kw_only=True):
    """Sent, if who was invited has no account."""

    status: Literal["sent"] = "sent"


# --- leaving ---


class LeavingBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Scheduled: the account goes at `delete_at`, and the challenge cancels it until then; or deleted at once."""

    status: Literal["scheduled", "deleted"] = msgspec.field()
    delete_at: datetime | None = None
    challenge: ChallengeView | None = None


class DeletionBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A challenge that must be answered first, or the deletion itself."""

    status: Literal["challenge_required", "scheduled", "deleted"] = msgspec.field()
    delete_at: datetime | None = None
    challenge: ChallengeView | None = None


class KeptBody(msgspec.Struct, frozen=True):
    """The account stays; nobody is signed in by it."""

    status: Literal["kept"] = "kept"
