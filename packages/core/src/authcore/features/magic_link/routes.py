"""The room's routes."""

from __future__ import annotations

import msgspec

from authcore.context import Context
from authcore.errors import InvalidChallenge, InvalidCredentials, RateLimited, SignUpClosed
from authcore.features.magic_link import flow
from authcore.features.magic_link.schemas import ConsumeLink, RequestLink
from authcore.route import Answer, Empty, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, SentBody, SignedInBody, answer
from authcore.services.pages import Landing, NeedsConfirm
from authcore.stores import MaxConcurrentReached

_LANDING = Landing(
    title="Sign in",
    text="You followed a link that signs you in. It works once.",
    button="Sign in",
    endpoint="/magic-link/consume",
    done="You are signed in.",
)


async def request(ctx: Context, body: RequestLink) -> Answer:
    """Mail a link and a code."""
    sent = await flow.request(ctx, email=body.email, transport=body.transport)
    return Answer(202, SentBody(challenge=sent.challenge), sent.cookies)


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the link."""
    return await pages.land(ctx, _LANDING)


async def consume(ctx: Context, body: ConsumeLink) -> Answer:
    """Sign in."""
    return answer(ctx, await flow.consume(ctx, **msgspec.structs.asdict(body)))


ROUTES = (
    Route(
        method="POST",
        path="/magic-link",
        handler=request,
        summary="Mail a link and a code that sign in",
        body=RequestLink,
        answers={202: SentBody},
        mints=True,
        raises=(RateLimited,),
        tag="magic_link",
    ),
    Route(
        method="GET",
        path="/magic-link",
        handler=land,
        summary="Land from a sign-in mail",
        answers={200: NeedsConfirm},
        tag="magic_link",
    ),
    Route(
        method="POST",
        path="/magic-link/consume",
        handler=consume,
        summary="Sign in by a mailed link or the code beside it",
        body=ConsumeLink,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(MaxConcurrentReached, InvalidChallenge, InvalidCredentials, SignUpClosed, RateLimited),
        tag="magic_link",
    ),
)
