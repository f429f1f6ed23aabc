"""The room's routes."""

from __future__ import annotations

import msgspec

from authcore.context import Context
from authcore.errors import AmbiguousCredentials, RateLimited, SignUpClosed
from authcore.features.anonymous import flow
from authcore.features.anonymous.errors import AlreadySignedIn
from authcore.features.anonymous.schemas import Arrive
from authcore.route import Answer, Route
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer


async def sign_in(ctx: Context, body: Arrive) -> Answer:
    """Make a user without an account, and its session."""
    return answer(ctx, await flow.sign_in(ctx, **msgspec.structs.asdict(body)), made=201)


ROUTES = (
    Route(
        method="POST",
        path="/anonymous",
        handler=sign_in,
        summary="Get a session without an account",
        body=Arrive,
        answers={201: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(AlreadySignedIn, AmbiguousCredentials, SignUpClosed, RateLimited),
        tag="anonymous",
    ),
)
