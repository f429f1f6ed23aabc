"""The bodies and answers of the room's routes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from authcore.route import Private
from authcore.services.accounts import User

Token = Annotated[str, Meta(min_length=1, max_length=200)]


class ConfirmEmail(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link, or a challenge with its code."""

    token: Token | None = None
    challenge_id: Token | None = None
    code: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class VerifiedBody(Private, frozen=True, kw_only=True):
    """The user, whose address is proven."""

    user: User
