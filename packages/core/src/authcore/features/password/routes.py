"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import (
    InvalidChallenge,
    InvalidCredentials,
    Overloaded,
    PasswordDisabled,
    RateLimited,
    SignUpClosed,
)
from authcore.features.password import flow, unlocking
from authcore.features.password.errors import AccountExists
from authcore.features.password.schemas import (
    Anything,
    ResendSignUp,
    SignIn,
    SignUp,
    Unlock,
    UnlockedBody,
    VerifySignUp,
)
from authcore.route import Answer, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer
from authcore.services.pages import Landing, NeedsConfirm
from authcore.services.user_fields import given


async def sign_up(ctx: Context, body: SignUp) -> Answer:
    """Begin a registration."""
    outcome = await flow.sign_up(
        ctx,
        email=body.email,
        password=body.password,
        password_confirmation=body.password_confirmation,
        display_name=body.display_name,
        fields=given(body, ctx.app.user),
        transport=body.transport,
        device_id=body.device_id,
        device_name=body.device_name,
    )
    return answer(ctx, outcome, made=201)


async def verify(ctx: Context, body: VerifySignUp) -> Answer:
    """End a registration."""
    outcome = await flow.verify_sign_up(
        ctx,
        challenge_id=body.challenge_id,
        code=body.code,
        transport=body.transport,
        device_id=body.device_id,
        device_name=body.device_name,
    )
    return answer(ctx, outcome)


async def resend(ctx: Context, body: ResendSignUp) -> Answer:
    """Mail the code again."""
    return answer(ctx, await flow.resend_sign_up(ctx, challenge_id=body.challenge_id))


async def sign_in(ctx: Context, body: SignIn) -> Answer:
    """Check a password."""
    outcome = await flow.sign_in(
        ctx,
        email=body.email,
        password=body.password,
        transport=body.transport,
        device_id=body.device_id,
        device_name=body.device_name,
    )
    return answer(ctx, outcome)


async def unlock(ctx: Context, body: Unlock) -> Answer:
    """Spend an unlock mail's link."""
    await unlocking.unlock_by_link(ctx, token=body.token)
    return Answer(200, UnlockedBody())


async def land_unlock(ctx: Context, _body: None) -> Answer:
    """Show the page behind an unlock mail's link."""
    return await pages.land(ctx, _LANDING)


_LANDING = Landing(
    title="Unlock your account",
    text="Wrong passwords were entered many times, so signing in by password is closed. Yours is as it was.",
    button="Unlock",
    endpoint="/unlock",
    done="Your account is open again: sign in with your password.",
)

ROUTES = (
    Route(
        method="POST",
        path="/sign-up",
        handler=sign_up,
        summary="Sign up with an e-mail address and a password",
        body=SignUp,
        answers={202: ChallengeRequiredBody, 201: SignedInBody},
        mints=True,
        user_fields=True,
        raises=(PasswordDisabled, SignUpClosed, AccountExists, RateLimited, Overloaded),
        tag="password",
    ),
    Route(
        method="POST",
        path="/sign-up/verify",
        handler=verify,
        summary="Prove the address by the mailed code",
        body=VerifySignUp,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(PasswordDisabled, SignUpClosed, InvalidChallenge, RateLimited),
        tag="password",
    ),
    Route(
        method="POST",
        path="/sign-up/resend",
        handler=resend,
        summary="Mail the code again",
        body=ResendSignUp,
        answers={202: ChallengeRequiredBody},
        raises=(PasswordDisabled, InvalidChallenge, RateLimited),
        tag="password",
    ),
    Route(
        method="POST",
        path="/sign-in",
        handler=sign_in,
        summary="Sign in with an e-mail address and a password",
        body=SignIn,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(PasswordDisabled, InvalidCredentials, RateLimited, Overloaded),
        tag="password",
    ),
    Route(
        method="POST",
        path="/unlock",
        handler=unlock,
        summary="Let a password that rests work again, by a mailed link",
        body=Unlock,
        answers={200: UnlockedBody},
        raises=(InvalidChallenge, RateLimited),
        tag="password",
    ),
    Route(
        method="GET",
        path="/unlock",
        handler=land_unlock,
        summary="Land from an unlock mail",
        answers={200: NeedsConfirm},
        tag="password",
    ),
)


async def refuse(_ctx: Context, _body: Anything) -> Answer:
    """Answer that passwords are not used here, whatever was sent (S8)."""
    raise PasswordDisabled()


_PATHS = (
    *(route.path for route in ROUTES if route.method == "POST"),
    "/password/change",
    "/password/change/verify",
    "/password/set",
    "/password/reset",
    "/password/reset/check",
    "/password/reset/complete",
)
DISABLED = tuple(
    Route(
        method="POST",
        path=path,
        handler=refuse,
        summary="Passwords are not used here",
        body=Anything,
        answers={},
        fallback=True,
        raises=(PasswordDisabled,),
        tag="password",
    )
    for path in _PATHS
)
