"""Ending one's account, and keeping it after all."""

from __future__ import annotations

from datetime import datetime

from authcore.context import Context
from authcore.errors import InvalidChallenge, RateLimited
from authcore.features.account.flow import leaving as flow
from authcore.features.account.flow.leaving import Leaving
from authcore.features.account.schemas import DeletionBody, KeptBody, LeavingBody, Secret
from authcore.route import FRESH, Answer, Empty, Route
from authcore.services import pages, transport
from authcore.services.pages import Landing, NeedsConfirm


async def request(ctx: Context, _body: Empty) -> Answer:
    """Ask for the end of one's account."""
    done = await flow.request(ctx)
    if isinstance(done, Leaving):
        told = DeletionBody(status=done.status, delete_at=_at(done), challenge=done.challenge)
        return Answer(202, told, transport.cleared_cookies(ctx))
    return Answer(202, DeletionBody(status="challenge_required", challenge=done.challenge), done.cookies)


async def confirm(ctx: Context, body: Secret) -> Answer:
    """Confirm the end of an account."""
    done = await flow.confirm(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    told = LeavingBody(status=done.status, delete_at=_at(done), challenge=done.challenge)
    return Answer(200, told, transport.cleared_cookies(ctx))


async def cancel(ctx: Context, body: Secret) -> Answer:
    """Keep an account after all."""
    await flow.cancel(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    return Answer(200, KeptBody())


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the link that confirms."""
    return await pages.land(ctx, _LANDING)


async def land_cancel(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the link that cancels."""
    return await pages.land(ctx, _CANCEL_LANDING)


def _at(done: Leaving) -> datetime | None:
    return done.delete_at if done.status == "scheduled" else None


_LANDING = Landing(
    title="Delete the account",
    text="Press the button to have the account deleted. You are signed out everywhere at once.",
    button="Delete the account",
    endpoint="/me/deletion/confirm",
    done="The account will be deleted.",
)
_CANCEL_LANDING = Landing(
    title="Keep the account",
    text="Press the button to keep the account, with everything in it.",
    button="Keep the account",
    endpoint="/me/deletion/cancel",
    done="The account stays. Sign in as before.",
)
ROUTES = (
    Route(
        method="DELETE",
        path="/me",
        handler=request,
        summary="Ask for the end of one's account",
        answers={202: DeletionBody},
        needs=FRESH,
        raises=(InvalidChallenge, RateLimited),
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/deletion/confirm",
        handler=confirm,
        summary="Confirm the end of an account by its link or code",
        body=Secret,
        answers={200: LeavingBody},
        raises=(InvalidChallenge, RateLimited),
        tag="account",
    ),
    Route(
        method="GET",
        path="/me/deletion/confirm",
        handler=land,
        summary="Land from the mail that confirms a deletion",
        answers={200: NeedsConfirm},
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/deletion/cancel",
        handler=cancel,
        summary="Keep an account that was to go, by a link or code",
        body=Secret,
        answers={200: KeptBody},
        raises=(InvalidChallenge, RateLimited),
        tag="account",
    ),
    Route(
        method="GET",
        path="/me/deletion/cancel",
        handler=land_cancel,
        summary="Land from the mail that cancels a deletion",
        answers={200: NeedsConfirm},
        tag="account",
    ),
)
