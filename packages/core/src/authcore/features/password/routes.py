"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, InvalidCredentials, Overloaded, RateLimited
from authcore.features.password import flow
from authcore.features.password.errors import AccountExists, PasswordDisabled
from authcore.features.password.schemas import Anything, ResendSignUp, SignIn, SignUp, VerifySignUp
from authcore.route import Answer, Route
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer


async def sign_up(ctx: Context, body: SignUp) -> Answer:
    """Begin a registration."""
    outcome = await flow.sign_up(
        ctx,
        email=body.email,
        password=body.password,
        password_confirmation=body.password_confirmation,
        display_name=body.display_name,
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


ROUTES = (
    Route(
        method="POST",
        path="/sign-up",
        handler=sign_up,
        summary="Sign up with an e-mail address and a password",
        body=SignUp,
        answers={202: ChallengeRequiredBody, 201: SignedInBody},
        mints=True,
        raises=(PasswordDisabled, AccountExists, RateLimited, Overloaded),
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
        raises=(PasswordDisabled, InvalidChallenge, RateLimited),
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
)


async def refuse(_ctx: Context, _body: Anything) -> Answer:
    """Answer that passwords are not used here, whatever was sent (S8)."""
    raise PasswordDisabled()


_PATHS = (
    *(route.path for route in ROUTES),
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
        raises=(PasswordDisabled,),
        tag="password",
    )
    for path in _PATHS
)
