"""The bodies of the room's routes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from authcore.services.bodies import Body, ChallengeId, DeviceBody, Email
from authcore.services.bodies import Code as TypedCode

Phone = Annotated[str, Meta(min_length=1, max_length=64)]


class RequestCode(Body, frozen=True, kw_only=True):
    """Ask for a code, by an address or by a number."""

    email: Email | None = None
    phone: Phone | None = None
    transport: Literal["cookie", "bearer"] | None = None


class VerifyCode(DeviceBody, frozen=True, kw_only=True):
    """Sign in by a code."""

    challenge_id: ChallengeId
    code: TypedCode
