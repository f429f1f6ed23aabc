"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, NotAuthenticated, RateLimited
from authcore.features.email_verification import flow
from authcore.features.email_verification.errors import AlreadyVerified, NoEmail
from authcore.features.email_verification.schemas import ConfirmEmail, VerifiedBody
from authcore.route import SIGNED_IN, Answer, Empty, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, answer
from authcore.services.pages import Landing, NeedsConfirm


async def send(ctx: Context, _body: Empty) -> Answer:
    """Mail a link and a code."""
    return answer(ctx, await flow.send(ctx))


async def confirm(ctx: Context, body: ConfirmEmail) -> Answer:
    """Spend a link or a code."""
    user = await flow.confirm(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    return Answer(200, VerifiedBody(user=user))


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the link."""
    return await pages.land(ctx, _LANDING)


_LANDING = Landing(
    title="Verify your address",
    text="Press the button if this address is yours. Where you are not signed in to its account, whatever was set "
    "before, such as a password or a phone, stops working and every session ends: then choose a password by resetting "
    "it.",
    button="Verify",
    endpoint="/email/verify/confirm",
    done="Your address is verified.",
)

ROUTES = (
    Route(
        method="POST",
        path="/email/verify/send",
        handler=send,
        summary="Mail a link and a code that prove the address",
        answers={202: ChallengeRequiredBody},
        needs=SIGNED_IN,
        limit="verification.address",
        raises=(AlreadyVerified, NoEmail, RateLimited),
        tag="email_verification",
    ),
    Route(
        method="POST",
        path="/email/verify/resend",
        handler=send,
        summary="Mail the link and the code again",
        answers={202: ChallengeRequiredBody},
        needs=SIGNED_IN,
        limit="verification.address",
        raises=(AlreadyVerified, NoEmail, RateLimited),
        tag="email_verification",
    ),
    Route(
        method="POST",
        path="/email/verify/confirm",
        handler=confirm,
        summary="Prove the address by the mailed link or code",
        body=ConfirmEmail,
        answers={200: VerifiedBody},
        raises=(NotAuthenticated, InvalidChallenge, RateLimited),
        tag="email_verification",
    ),
    Route(
        method="GET",
        path="/email/verify",
        handler=land,
        summary="Land from a mail that proves the address",
        answers={200: NeedsConfirm},
        tag="email_verification",
    ),
)
