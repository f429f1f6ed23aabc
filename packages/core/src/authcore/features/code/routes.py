"""The room's routes."""

from __future__ import annotations

import msgspec

from authcore.context import Context
from authcore.errors import InvalidChallenge, InvalidCredentials, RateLimited, SignUpClosed
from authcore.features.code import flow
from authcore.features.code.schemas import RequestCode, VerifyCode
from authcore.route import Answer, Route
from authcore.services.answers import ChallengeRequiredBody, SentBody, SignedInBody, answer
from authcore.stores import MaxConcurrentReached


async def request(ctx: Context, body: RequestCode) -> Answer:
    """Send a code."""
    sent = await flow.request(ctx, email=body.email, phone=body.phone, transport=body.transport)
    return Answer(202, SentBody(challenge=sent.challenge), sent.cookies)


async def verify(ctx: Context, body: VerifyCode) -> Answer:
    """Sign in."""
    return answer(ctx, await flow.verify(ctx, **msgspec.structs.asdict(body)))


ROUTES = (
    Route(
        method="POST",
        path="/code",
        handler=request,
        summary="Send a code that signs in",
        body=RequestCode,
        answers={202: SentBody},
        mints=True,
        raises=(RateLimited,),
        tag="code",
    ),
    Route(
        method="POST",
        path="/code/verify",
        handler=verify,
        summary="Sign in by a code",
        body=VerifyCode,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(MaxConcurrentReached, InvalidChallenge, InvalidCredentials, SignUpClosed, RateLimited),
        tag="code",
    ),
)
