"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, InvalidCredentials, Overloaded, RateLimited, ReauthenticationRequired
from authcore.features.email_change import flow
from authcore.features.email_change.schemas import ChangedEmailBody, ChangeEmail, ConfirmChange, UndoChange, UndoneBody
from authcore.route import SIGNED_IN, Answer, Empty, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, answer, shown
from authcore.services.pages import Landing, NeedsConfirm
from authcore.services.transport import token_fields


async def change(ctx: Context, body: ChangeEmail) -> Answer:
    """Mail the new address."""
    return answer(ctx, await flow.change(ctx, new_email=body.new_email, current_password=body.current_password))


async def confirm(ctx: Context, body: ConfirmChange) -> Answer:
    """Change the address."""
    done = await flow.confirm(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    told = ChangedEmailBody(user=done.user, session=shown(done.session), **token_fields(done.issued, ctx.now()))
    return Answer(200, told, done.cookies)


async def undo(ctx: Context, body: UndoChange) -> Answer:
    """Take a change back."""
    await flow.undo(ctx, token=body.token)
    return Answer(200, UndoneBody())


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the new address's link."""
    return await pages.land(ctx, _LANDING)


async def land_undo(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind the old address's link."""
    return await pages.land(ctx, _UNDO_LANDING)


_LANDING = Landing(
    title="Change your address",
    text="Press the button to use this address from now on. You must be signed in here; if you are not, enter the code "
    "of the mail where you asked for the change.",
    button="Use this address",
    endpoint="/email/change/confirm",
    done="Your address is changed.",
)
_UNDO_LANDING = Landing(
    title="Undo the change",
    text="Press the button to take your account back. Every session ends and the password stops working: then choose "
    "another one by resetting it.",
    button="Undo the change",
    endpoint="/email/change/undo",
    done="The account is yours again. Reset your password to sign in.",
)

ROUTES = (
    Route(
        method="POST",
        path="/email/change",
        handler=change,
        summary="Mail a link and a code to another address",
        body=ChangeEmail,
        answers={202: ChallengeRequiredBody},
        needs=SIGNED_IN,
        raises=(ReauthenticationRequired, InvalidCredentials, RateLimited, Overloaded),
        tag="email_change",
    ),
    Route(
        method="POST",
        path="/email/change/confirm",
        handler=confirm,
        summary="Change the address by the mailed link or code",
        body=ConfirmChange,
        answers={200: ChangedEmailBody},
        needs=SIGNED_IN,
        mints=True,
        raises=(InvalidChallenge, RateLimited),
        tag="email_change",
    ),
    Route(
        method="GET",
        path="/email/change",
        handler=land,
        summary="Land from the mail to the new address",
        answers={200: NeedsConfirm},
        tag="email_change",
    ),
    Route(
        method="POST",
        path="/email/change/undo",
        handler=undo,
        summary="Take a change back by the link that the old address got",
        body=UndoChange,
        answers={200: UndoneBody},
        raises=(InvalidChallenge, RateLimited),
        tag="email_change",
    ),
    Route(
        method="GET",
        path="/email/change/undo",
        handler=land_undo,
        summary="Land from the mail to the old address",
        answers={200: NeedsConfirm},
        tag="email_change",
    ),
)
