"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import (
    AmbiguousCredentials,
    InvalidChallenge,
    InvalidCredentials,
    Overloaded,
    PasswordDisabled,
    RateLimited,
    ReauthenticationRequired,
    SignUpClosed,
)
from authcore.features.password import changing, flow, judging, renewing, unlocking
from authcore.features.password.changing import PasswordUpdate
from authcore.features.password.errors import (
    AccountExists,
    AddressMissing,
    PasswordExists,
    PasswordMissing,
    PasswordTooYoung,
)
from authcore.features.password.schemas import (
    Anything,
    ChangePassword,
    NewPassword,
    PasswordUpdatedBody,
    PolicyBody,
    ResendSignUp,
    SetPassword,
    SignIn,
    SignUp,
    Unlock,
    UnlockedBody,
    VerifyPasswordChange,
    VerifySignUp,
)
from authcore.route import FRESH, SIGNED_IN, Answer, Empty, Route
from authcore.services import pages, transport
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer, challenge_answer, shown
from authcore.services.bodies import remember_me
from authcore.services.identifiers import sent
from authcore.services.pages import Landing, NeedsConfirm
from authcore.services.sign_in import ChallengeRequired
from authcore.services.user_fields import given
from authcore.stores import MaxConcurrentReached


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
        remember_me=remember_me(body),
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
        remember_me=remember_me(body),
    )
    return answer(ctx, outcome)


async def resend(ctx: Context, body: ResendSignUp) -> Answer:
    """Mail the code again."""
    return answer(ctx, await flow.resend_sign_up(ctx, challenge_id=body.challenge_id))


async def sign_in(ctx: Context, body: SignIn) -> Answer:
    """Check a password."""
    outcome = await flow.sign_in(
        ctx,
        **sent(body),
        password=body.password,
        transport=body.transport,
        device_id=body.device_id,
        device_name=body.device_name,
        remember_me=remember_me(body),
        remember_token=body.remember_token,
    )
    return answer(ctx, outcome)


async def new_password(ctx: Context, body: NewPassword) -> Answer:
    """Go on with a sign-in that asked for another password."""
    outcome = await renewing.answer_new_password(
        ctx,
        challenge_id=body.challenge_id,
        new_password=body.new_password,
        password_confirmation=body.password_confirmation,
    )
    return answer(ctx, outcome)


async def change(ctx: Context, body: ChangePassword) -> Answer:
    """Replace one's password."""
    outcome = await changing.update_password(
        ctx,
        current_password=body.current_password,
        new_password=body.new_password,
        password_confirmation=body.password_confirmation,
    )
    return challenge_answer(outcome) if isinstance(outcome, ChallengeRequired) else _updated(ctx, outcome)


async def verify_change(ctx: Context, body: VerifyPasswordChange) -> Answer:
    """Let a pending password take effect."""
    return _updated(ctx, await changing.verify_password_change(ctx, challenge_id=body.challenge_id, code=body.code))


async def set_first(ctx: Context, body: SetPassword) -> Answer:
    """Set a first password."""
    return _updated(
        ctx,
        await changing.set_password(
            ctx, new_password=body.new_password, password_confirmation=body.password_confirmation
        ),
    )


def _updated(ctx: Context, outcome: PasswordUpdate) -> Answer:
    fields = transport.token_fields(outcome.issued, ctx.now())
    body = PasswordUpdatedBody(
        updated_at=outcome.updated_at, user=outcome.user, session=shown(outcome.session), **fields
    )
    return Answer(200, body, outcome.cookies)


async def policy(ctx: Context, _body: Empty) -> Answer:
    """Answer what a password must be."""
    return Answer(200, await judging.policy(ctx))


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
        raises=(MaxConcurrentReached, PasswordDisabled, SignUpClosed, AccountExists, RateLimited, Overloaded),
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
        raises=(MaxConcurrentReached, PasswordDisabled, SignUpClosed, InvalidChallenge, RateLimited),
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
        identifiers=True,
        raises=(
            MaxConcurrentReached,
            PasswordDisabled,
            AmbiguousCredentials,
            InvalidCredentials,
            RateLimited,
            Overloaded,
        ),
        tag="password",
    ),
    Route(
        method="POST",
        path="/sign-in/new-password",
        handler=new_password,
        summary="Replace a password that must be changed, and go on signing in",
        body=NewPassword,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        raises=(MaxConcurrentReached, PasswordDisabled, InvalidChallenge, InvalidCredentials, RateLimited, Overloaded),
        tag="password",
    ),
    Route(
        method="GET",
        path="/password/policy",
        handler=policy,
        summary="See what a password must be",
        answers={200: PolicyBody},
        tag="password",
    ),
    Route(
        method="POST",
        path="/password/change",
        handler=change,
        summary="Replace one's password",
        body=ChangePassword,
        answers={200: PasswordUpdatedBody, 202: ChallengeRequiredBody},
        needs=SIGNED_IN,
        raises=(
            PasswordDisabled,
            InvalidCredentials,
            ReauthenticationRequired,
            PasswordMissing,
            PasswordTooYoung,
            RateLimited,
            Overloaded,
        ),
        tag="password",
    ),
    Route(
        method="POST",
        path="/password/change/verify",
        handler=verify_change,
        summary="Let a pending password take effect by the mailed code",
        body=VerifyPasswordChange,
        answers={200: PasswordUpdatedBody},
        needs=SIGNED_IN,
        raises=(PasswordDisabled, InvalidChallenge, RateLimited),
        tag="password",
    ),
    Route(
        method="POST",
        path="/password/set",
        handler=set_first,
        summary="Set the first password of an account that has none",
        body=SetPassword,
        answers={200: PasswordUpdatedBody},
        needs=FRESH,
        raises=(PasswordDisabled, PasswordExists, AddressMissing, RateLimited, Overloaded),
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
    "/password/reset",
    "/password/reset/check",
    "/password/reset/complete",
)


def _refusing(method: str, path: str) -> Route:
    return Route(
        method=method,
        path=path,
        handler=refuse,
        summary="Passwords are not used here",
        body=Anything,
        answers={},
        fallback=True,
        raises=(PasswordDisabled,),
        tag="password",
    )


DISABLED = (*(_refusing("POST", path) for path in _PATHS), _refusing("GET", "/password/policy"))
