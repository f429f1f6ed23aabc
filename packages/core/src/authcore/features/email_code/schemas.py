"""The bodies of the room's routes, and what its calls answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from authcore.route import Private
from authcore.values import Value

ChallengeId = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]


class Verify(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer the code of a sign-in."""

    challenge_id: ChallengeId
    code: Code
    remember: bool = False


class Resend(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for the code again."""

    challenge_id: ChallengeId


class RememberedBrowser(Value, frozen=True):
    """A browser, or a device, that is spared the code: since `created_at`, until `expires_at`."""

    created_at: datetime
    expires_at: datetime
    transport: Literal["cookie", "bearer"]
