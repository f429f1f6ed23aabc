"""The room's routes."""

from __future__ import annotations

import msgspec

from authcore.context import Context
from authcore.errors import InvalidChallenge, Overloaded, PasswordDisabled, RateLimited
from authcore.features.password_reset import flow, replacing
from authcore.features.password_reset.flow import ResetDone
from authcore.features.password_reset.schemas import (
    CheckReset,
    CompleteReset,
    RequestReset,
    RequestResetByEither,
    ResetDoneBody,
    ResetValidBody,
)
from authcore.route import Answer, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, SentBody, SignedInBody, answer
from authcore.services.pages import Field, Landing, NeedsConfirm
from authcore.stores import MaxConcurrentReached


async def request(ctx: Context, body: RequestReset | RequestResetByEither) -> Answer:
    """Send a link and a code."""
    sent = await flow.request(ctx, **msgspec.structs.asdict(body))
    return Answer(202, SentBody(challenge=sent.challenge), sent.cookies)


async def check(ctx: Context, body: CheckReset) -> Answer:
    """Look at a link or a code before a form is shown."""
    until = await flow.check(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    return Answer(200, ResetValidBody(expires_at=until))


async def complete(ctx: Context, body: CompleteReset) -> Answer:
    """Replace the password."""
    outcome = await flow.complete(ctx, **msgspec.structs.asdict(body))
    if isinstance(outcome, ResetDone):
        return Answer(200, ResetDoneBody())
    return answer(ctx, outcome)


async def land(ctx: Context, _body: None) -> Answer:
    """Show the page behind a reset mail's link."""
    replacing.enabled(ctx)
    return await pages.land(ctx, _LANDING)


_LANDING = Landing(
    title="Choose another password",
    text="Your sessions everywhere end with it. This link works once.",
    button="Save the password",
    endpoint="/password/reset/complete",
    done="Your password is replaced. Sign in with it from here on.",
    fields=(Field("new_password", "Password", "password", "new-password"),),
)


def routes(*, sign_in_after: bool = True, phone: bool = False) -> tuple[Route, ...]:
    """Answer the routes; who may ask by what, and what a completed reset answers, are settings."""
    after: dict[int, type[msgspec.Struct] | None] = {200: ResetDoneBody}
    if sign_in_after:
        after = {200: SignedInBody, 202: ChallengeRequiredBody}
    return (
        Route(
            method="POST",
            path="/password/reset",
            handler=request,
            summary="Mail a link and a code that reset a forgotten password",
            body=RequestResetByEither if phone else RequestReset,
            answers={202: SentBody},
            mints=True,
            raises=(PasswordDisabled, RateLimited),
            tag="password_reset",
        ),
        Route(
            method="POST",
            path="/password/reset/check",
            handler=check,
            summary="Look at a reset's link or code before a form is shown",
            body=CheckReset,
            answers={200: ResetValidBody},
            raises=(PasswordDisabled, InvalidChallenge, RateLimited),
            tag="password_reset",
        ),
        Route(
            method="POST",
            path="/password/reset/complete",
            handler=complete,
            summary="Choose another password by a mailed link or code",
            body=CompleteReset,
            answers=after,
            mints=True,
            raises=(MaxConcurrentReached, PasswordDisabled, InvalidChallenge, RateLimited, Overloaded),
            tag="password_reset",
        ),
        Route(
            method="GET",
            path="/password/reset",
            handler=land,
            summary="Land from a reset mail",
            answers={200: NeedsConfirm},
            raises=(PasswordDisabled,),
            tag="password_reset",
        ),
    )
