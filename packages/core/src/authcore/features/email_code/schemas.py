"""The bodies of the room's routes, and what its calls answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from authcore.services.bodies import Body, ChallengeId, Code
from authcore.values import Value


class Verify(Body, frozen=True, kw_only=True):
    """Answer the code of a sign-in."""

    challenge_id: ChallengeId
    code: Code
    remember: bool = False


class Resend(Body, frozen=True, kw_only=True):
    """Ask for the code again."""

    challenge_id: ChallengeId


class RememberedBrowser(Value, frozen=True):
    """A browser, or a device, that is spared the code: since `created_at`, until `expires_at`."""

    created_at: datetime
    expires_at: datetime
    transport: Literal["cookie", "bearer"]
