"""The bodies of a sign-in's outcome, the same from every room that signs in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from authcore.context import Context
from authcore.route import Answer
from authcore.services import user_agents
from authcore.services.accounts import User
from authcore.services.bodies import MaybeTokens
from authcore.services.challenges import ChallengeView
from authcore.services.sessions import Session
from authcore.services.sign_in import ChallengeRequired, SignedIn
from authcore.services.transport import token_fields


class SignedInBody(MaybeTokens, frozen=True, kw_only=True):
    """Signed in. The token fields stand there under bearer only; a cookie's value never stands in a body."""

    status: Literal["signed_in"] = "signed_in"
    user: User
    session: Session
    remember_token: str | UnsetType = UNSET
    remember_expires_at: datetime | UnsetType = UNSET


class ChallengeRequiredBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something more must be proven first; nothing in it is a usable credential."""

    status: Literal["challenge_required"] = "challenge_required"
    challenge: ChallengeView


def shown(session: Session) -> Session:
    """Answer a session as its owner sees it, with its device by name."""
    return replace(session, device=user_agents.readable(session.user_agent))


def answer(ctx: Context, outcome: SignedIn | ChallengeRequired, *, made: int = 200) -> Answer:
    """Answer a sign-in's outcome: `made` for a session, 202 for a challenge."""
    if isinstance(outcome, ChallengeRequired):
        return challenge_answer(outcome)
    tokens = token_fields(outcome.issued, ctx.now())
    body = SignedInBody(user=outcome.user, session=shown(outcome.session), **tokens, **_remember_fields(outcome))
    return Answer(made, body, outcome.cookies)


def _remember_fields(outcome: SignedIn) -> dict[str, Any]:
    kept = outcome.remembered
    if kept is None:
        return {}
    return {"remember_token": kept.token or UNSET, "remember_expires_at": kept.expires_at}


def challenge_answer(outcome: ChallengeRequired) -> Answer:
    """Answer 202 with the challenge, and the browser's binding where there is one."""
    return Answer(202, ChallengeRequiredBody(challenge=outcome.challenge), outcome.cookies)


class SentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Sent, if there is an account; the answer is one for everybody."""

    status: Literal["sent"] = "sent"
    challenge: ChallengeView
