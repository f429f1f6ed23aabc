"""The room's routes."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import (
    AmbiguousCredentials,
    InvalidChallenge,
    InvalidCredentials,
    InvalidRefreshToken,
    NotAuthenticated,
    NotFound,
    RateLimited,
)
from authcore.features.sessions import flow
from authcore.features.sessions.schemas import (
    CurrentBody,
    EndedBody,
    Reauthenticate,
    ReauthenticatedBody,
    Refresh,
    RefreshedBody,
    SessionsBody,
    SignedOutBody,
    SignOut,
    UserBody,
)
from authcore.route import ANYBODY, FRESH, SIGNED_IN, Answer, Empty, Route
from authcore.services import transport
from authcore.services.answers import ChallengeRequiredBody, challenge_answer, shown
from authcore.services.sessions import Issued
from authcore.services.sign_in import ChallengeRequired


async def refresh(ctx: Context, body: Refresh) -> Answer:
    """Go on with a session."""
    outcome = await flow.refresh(ctx, refresh_token=body.refresh_token)
    if not isinstance(outcome, Issued):
        return Answer(200, RefreshedBody(session=shown(outcome)))
    fields = transport.token_fields(outcome, ctx.now())
    return Answer(200, RefreshedBody(session=shown(outcome.session), **fields), transport.session_cookies(ctx, outcome))


async def sign_out(ctx: Context, body: SignOut) -> Answer:
    """End the session that asks."""
    await flow.sign_out(ctx, refresh_token=body.refresh_token)
    return Answer(200, SignedOutBody(), transport.cleared_cookies(ctx))


async def session(ctx: Context, _body: Empty) -> Answer:
    """Answer who is signed in, if anybody is."""
    who = await flow.current(ctx)
    return Answer(200, CurrentBody(user=who.user if who else None, session=shown(who.session) if who else None))


async def me(ctx: Context, _body: Empty) -> Answer:
    """Answer who is signed in."""
    user = await flow.get_user(ctx)
    if user is None:
        raise NotAuthenticated()
    return Answer(200, UserBody(user))


async def list_sessions(ctx: Context, _body: Empty) -> Answer:
    """Answer one's own sessions."""
    return Answer(200, SessionsBody(await flow.list_sessions(ctx)))


async def end_one(ctx: Context, _body: Empty) -> Answer:
    """End one of one's own sessions."""
    return Answer(200, EndedBody(await flow.end_session(ctx, session_id=ctx.params["id"])))


async def end_others(ctx: Context, _body: Empty) -> Answer:
    """End one's own other sessions."""
    return Answer(200, EndedBody(await flow.end_other_sessions(ctx)))


async def end_all(ctx: Context, _body: Empty) -> Answer:
    """End all of one's own sessions."""
    return Answer(200, EndedBody(await flow.revoke_all_sessions(ctx)), transport.cleared_cookies(ctx))


async def reauthenticate(ctx: Context, body: Reauthenticate) -> Answer:
    """Prove again who is signed in."""
    outcome = await flow.reauthenticate(ctx, password=body.password, challenge_id=body.challenge_id, code=body.code)
    if isinstance(outcome, ChallengeRequired):
        return challenge_answer(outcome)
    fields = transport.token_fields(outcome.issued, ctx.now())
    told = ReauthenticatedBody(user=outcome.user, session=shown(outcome.session), **fields)
    return Answer(200, told, outcome.cookies)


def routes(*, fresh_to_end: bool) -> tuple[Route, ...]:
    """Answer the routes; ending sessions asks a fresh authentication unless the application says otherwise."""
    ending = FRESH if fresh_to_end else SIGNED_IN
    return (
        Route(
            method="POST",
            path="/refresh",
            handler=refresh,
            summary="Go on with a session",
            body=Refresh,
            answers={200: RefreshedBody},
            raises=(InvalidRefreshToken, AmbiguousCredentials, RateLimited),
            tag="sessions",
        ),
        Route(
            method="POST",
            path="/sign-out",
            handler=sign_out,
            summary="Sign out",
            body=SignOut,
            answers={200: SignedOutBody},
            raises=(AmbiguousCredentials,),
            tag="sessions",
        ),
        Route(
            method="GET",
            path="/session",
            handler=session,
            summary="Ask who is signed in, if anybody is",
            answers={200: CurrentBody},
            raises=(AmbiguousCredentials,),
            tag="sessions",
        ),
        Route(
            method="GET",
            path="/me",
            handler=me,
            summary="Ask who is signed in",
            answers={200: UserBody},
            needs=ANYBODY,
            scoped=True,
            raises=(AmbiguousCredentials,),
            tag="sessions",
        ),
        Route(
            method="GET",
            path="/sessions",
            handler=list_sessions,
            summary="List one's own sessions",
            answers={200: SessionsBody},
            needs=ANYBODY,
            tag="sessions",
        ),
        Route(
            method="DELETE",
            path="/sessions",
            handler=end_all,
            summary="End all of one's own sessions",
            answers={200: EndedBody},
            needs=ending,
            tag="sessions",
        ),
        Route(
            method="DELETE",
            path="/sessions/{id}",
            handler=end_one,
            summary="End one of one's own sessions",
            answers={200: EndedBody},
            needs=ending,
            raises=(NotFound,),
            tag="sessions",
        ),
        Route(
            method="POST",
            path="/sessions/revoke-others",
            handler=end_others,
            summary="End one's own other sessions",
            answers={200: EndedBody},
            needs=ending,
            tag="sessions",
        ),
        Route(
            method="POST",
            path="/reauthenticate",
            handler=reauthenticate,
            summary="Prove again who is signed in",
            body=Reauthenticate,
            answers={200: ReauthenticatedBody, 202: ChallengeRequiredBody},
            needs=SIGNED_IN,
            raises=(InvalidCredentials, InvalidChallenge, RateLimited),
            tag="sessions",
        ),
    )
