"""Inviting, and accepting that."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import (
    EmailNotVerified,
    InvalidChallenge,
    InvalidCredentials,
    Overloaded,
    RateLimited,
    SignUpClosed,
)
from authcore.features.account.flow import invitations as flow
from authcore.features.account.schemas import AcceptInvitation, Invite, InvitedBody, InviteEmail
from authcore.route import SIGNED_IN, Answer, Empty, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer
from authcore.services.bodies import remember_me
from authcore.services.pages import Field, Landing, NeedsConfirm
from authcore.services.password_policy import PasswordPolicy
from authcore.services.user_fields import given
from authcore.stores import MaxConcurrentReached


async def invite(ctx: Context, body: Invite | InviteEmail) -> Answer:
    """Invite somebody."""
    await flow.invite_as_member(ctx, email=body.email, phone=getattr(body, "phone", None))
    return Answer(202, InvitedBody())


async def accept(ctx: Context, body: AcceptInvitation) -> Answer:
    """Become a user by an invitation."""
    outcome = await flow.accept(
        ctx,
        token=body.token,
        challenge_id=body.challenge_id,
        email=body.email,
        phone=body.phone,
        code=body.code,
        password=body.password,
        password_confirmation=body.password_confirmation,
        display_name=body.display_name,
        fields=given(body, ctx.app.user),
        transport=body.transport,
        device_id=body.device_id,
        device_name=body.device_name,
        remember_me=remember_me(body),
    )
    return answer(ctx, outcome)


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind an invitation's link."""
    rules = ctx.runtime.settings.get(PasswordPolicy)
    fields = (_PASSWORD,) if rules is not None and rules.enabled else ()
    return await pages.land(
        ctx,
        Landing(
            title="Accept the invitation",
            text="Press the button to make your account.",
            button="Make the account",
            endpoint="/invitations/accept",
            done="The account is yours, and you are signed in.",
            fields=fields,
        ),
    )


_PASSWORD = Field("password", "Password", "password", "new-password")
_ACCEPTING = (
    Route(
        method="POST",
        path="/invitations/accept",
        handler=accept,
        summary="Become a user by an invitation's link or code",
        body=AcceptInvitation,
        answers={200: SignedInBody, 202: ChallengeRequiredBody},
        mints=True,
        user_fields=True,
        raises=(MaxConcurrentReached, InvalidChallenge, InvalidCredentials, SignUpClosed, RateLimited, Overloaded),
        tag="account",
    ),
    Route(
        method="GET",
        path="/invitations/accept",
        handler=land,
        summary="Land from an invitation",
        answers={200: NeedsConfirm},
        tag="account",
    ),
)


def routes(*, phone: bool, members: bool) -> tuple[Route, ...]:
    """Answer the routes; whether members invite, and numbers, are settings."""
    inviting = Route(
        method="POST",
        path="/invitations",
        handler=invite,
        summary="Invite somebody",
        body=Invite if phone else InviteEmail,
        answers={202: InvitedBody},
        needs=SIGNED_IN,
        raises=(EmailNotVerified, RateLimited),
        tag="account",
    )
    return (inviting, *_ACCEPTING) if members else _ACCEPTING
