"""The bodies of the room's routes."""

from __future__ import annotations

from typing import Literal

from authcore.services.bodies import Body, ChallengeId, Code, DeviceBody, Email, Token


class RequestLink(Body, frozen=True, kw_only=True):
    """Ask for a link and a code."""

    email: Email
    transport: Literal["cookie", "bearer"] | None = None


class ConsumeLink(DeviceBody, frozen=True, kw_only=True):
    """Sign in, by a link's token or by the code beside it."""

    token: Token | None = None
    challenge_id: ChallengeId | None = None
    code: Code | None = None
