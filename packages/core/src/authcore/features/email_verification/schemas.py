"""The bodies and answers of the room's routes."""

from __future__ import annotations

from authcore.route import Private
from authcore.services.accounts import User
from authcore.services.bodies import Body, ChallengeId, Code, Token


class ConfirmEmail(Body, frozen=True, kw_only=True):
    """The token of a link, or a challenge with its code."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None


class VerifiedBody(Private, frozen=True, kw_only=True):
    """The user, whose address is proven."""

    user: User
