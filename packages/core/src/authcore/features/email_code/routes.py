"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import AmbiguousCredentials, InvalidChallenge, InvalidCredentials, RateLimited
from authcore.features.email_code import flow
from authcore.features.email_code.schemas import Resend, Verify
from authcore.route import Answer, Route
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer
from authcore.stores import MaxConcurrentReached


async def verify(ctx: Context, body: Verify) -> Answer:
    """Answer the code of a sign-in."""
    outcome = await flow.verify(ctx, challenge_id=body.challenge_id, code=body.code, remember=body.remember)
    return answer(ctx, outcome)


async def resend(ctx: Context, body: Resend) -> Answer:
    """Mail the code again."""
    return answer(ctx, await flow.resend(ctx, challenge_id=body.challenge_id))


ROUTES = (
    Route(
        method="POST",
        path="/sign-in/email-code",
        handler=verify,
        summary="Go on with a sign-in by the mailed code",
        body=Verify,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(MaxConcurrentReached, InvalidChallenge, AmbiguousCredentials, InvalidCredentials, RateLimited),
        tag="email_code",
    ),
    Route(
        method="POST",
        path="/sign-in/email-code/resend",
        handler=resend,
        summary="Mail the code of a sign-in again",
        body=Resend,
        answers={202: ChallengeRequiredBody},
        raises=(InvalidChallenge, RateLimited),
        tag="email_code",
    ),
)
