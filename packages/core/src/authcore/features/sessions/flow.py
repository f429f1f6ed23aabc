"""The life of a session after it was made."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec.structs import replace

from authcore.context import Authenticated, Context
from authcore.decode import is_storable
from authcore.errors import (
    AmbiguousCredentials,
    InvalidChallenge,
    InvalidRefreshToken,
    NotAuthenticated,
    NotFound,
    field_error,
)
from authcore.features.sessions import mails, store
from authcore.services import (
    access,
    challenges,
    cookies,
    events,
    guard,
    limits,
    mailed,
    sessions,
    tokens,
    transport,
    user_agents,
)
from authcore.services import sign_in as pipeline
from authcore.services.access import KINDS
from authcore.services.accounts import User
from authcore.services.challenges import ChallengeKind, Spent
from authcore.services.events import Occurred, RefreshReused
from authcore.services.limits import Hit
from authcore.services.sessions import (
    EndedSession,
    Issued,
    Rotated,
    Rotation,
    RotationRefused,
    Session,
    SessionSettings,
    Transport,
    access_kind,
)
from authcore.services.sign_in import ChallengeRequired, Proof, SignedIn
from authcore.services.transport import Presented

_log = logging.getLogger("authcore.sessions")
MAIL = Proof(("email",))
MAX_PLACE = 200  # characters


# --- refreshing ---


async def refresh(ctx: Context, *, refresh_token: str | None = None) -> Session | Issued:
    """Go on with a session: new secrets for a refresh token, or a slid end for a cookie session that has none.

    Raises InvalidRefreshToken (unknown, expired, replaced and revoked are one answer), AmbiguousCredentials,
    RateLimited.
    """
    await limits.count(ctx, Hit("refresh.address"))
    cookie = cookies.read(ctx.app, ctx.request, "refresh")
    if refresh_token is not None and cookie is not None:
        await _same_family(ctx, refresh_token, cookie)
    token = refresh_token or cookie
    if token is None:
        return await _slide(ctx)
    return await _rotate(ctx, token, "bearer" if refresh_token is not None else "cookie")


async def _same_family(ctx: Context, token: str, cookie: str) -> None:
    families = [
        await ctx.db.read(sessions.family, ctx.tenant.id, digest) if (digest := tokens.digest(text, "rt")) else None
        for text in (token, cookie)
    ]
    if families[0] is None or families[0] != families[1]:
        raise AmbiguousCredentials()


async def _slide(ctx: Context) -> Session:
    who = await guard.authenticate(ctx)
    if who is None or who.session.transport != "cookie" or ctx.settings(SessionSettings).cookie_refresh:
        raise InvalidRefreshToken()
    again = await _touched(ctx, who)
    if again is None:
        raise InvalidRefreshToken()
    return again


async def _touched(ctx: Context, who: Authenticated) -> Session | None:
    if not await guard.note_use(ctx, who, ctx.now()):
        return None
    again = await _held(ctx, who.session.id)
    return again.session if again else None


async def _held(ctx: Context, session_id: str) -> Authenticated | None:
    entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, session_id, ctx.now(), ctx.app.user)
    return entry.who if entry else None


async def touch(ctx: Context, session_id: str | None = None) -> Session:
    """Note that a session is in use and slide its end, by default of the one that asks; answer the session.

    Raises NotFound for an unknown session and one that is over, NotAuthenticated where nobody asks. Server code only.
    """
    id_ = _who(ctx).session.id if session_id is None else session_id
    who = await _held(ctx, id_) if _may_be_id(id_) else None
    session = await _touched(ctx, who) if who else None
    if session is None:
        raise NotFound()
    return replace(session, current=ctx.who is not None and ctx.who.session.id == id_)


async def _rotate(ctx: Context, token: str, via: Transport) -> Issued:
    digest = tokens.digest(token, "rt")
    if digest is None:
        raise InvalidRefreshToken()
    outcome = await ctx.db.write(sessions.rotate, _turn(ctx, token, digest, via))
    if isinstance(outcome, RotationRefused):
        if outcome.reused:
            event = events.RefreshReused(ctx.tenant.id, ctx.now(), outcome.user_id, outcome.session_id)
            await events.tell(ctx, event)
        raise InvalidRefreshToken()
    try:
        return await access.hand_over(ctx, _issued(ctx, token, outcome))
    except NotAuthenticated:  # ended in between
        raise InvalidRefreshToken() from None


def _turn(ctx: Context, token: str, digest: bytes, via: Transport) -> Rotation:
    key_id, key = ctx.app.keys.current("refresh")
    nonce = ctx.random.bytes(32, "nonce")
    return Rotation(
        tenant=ctx.tenant.id,
        digest=digest,
        now=ctx.now(),
        nonce=nonce,
        key_id=key_id,
        next_refresh=tokens.must_digest(sessions.derive(key, "refresh", nonce, token, "rt"), "rt"),
        next_access=None
        if via in ctx.runtime.stored
        else tokens.must_digest(sessions.derive(key, "access", nonce, token, access_kind(via)), access_kind(via)),
        settings=ctx.settings(SessionSettings),
        event=events.occur(ctx, events.RefreshReused),
        transport=via,
    )


def _issued(ctx: Context, token: str, turn: Rotated) -> Issued:
    """Answer the pair that any node derives from the same nonce."""
    key = ctx.app.keys.get(turn.key_id, "refresh")
    if key is None:
        raise InvalidRefreshToken()
    settings, via = ctx.settings(SessionSettings), turn.session.transport
    return Issued(
        session=turn.session,
        transport=via,
        access=sessions.derive(key, "access", turn.nonce, token, access_kind(via)),
        access_expires=min(turn.at + settings.access_ttl, turn.ends_at),
        refresh=token if turn.stays else sessions.derive(key, "refresh", turn.nonce, token, "rt"),
        refresh_expires=min(turn.at + settings.refresh_ttl, turn.ends_at),
        ends_at=turn.ends_at,
        stamp=turn.stamp,
        at=turn.at,
        elsewhere=via in ctx.runtime.stored,
    )


async def tell_of_reuse(ctx: Context, event: RefreshReused) -> None:
    """Tell the application of a theft, after its commit, by the hook that it gave for that."""
    hook = ctx.settings(SessionSettings).on_rotation_reuse
    if hook is not None:
        await ctx.hooks.call(hook, event)


# --- ending ---


async def sign_out(
    ctx: Context, *, access_token: str | None = None, refresh_token: str | None = None
) -> EndedSession | None:
    """End the session of the request, or of a token; answer it with `revoked_at`, or None if nobody was signed in.

    `cookies` of the answer clear those that the request carried, unless an `access_token` says whose session it is.
    """
    shown = await _presented(ctx, access_token, refresh_token or cookies.read(ctx.app, ctx.request, "refresh"))
    if not shown:
        return None
    happened = events.occur_all(ctx, events.Logout, events.CurrentDeviceLogout)
    ended, told = await ctx.db.write(store.sign_out, ctx.tenant.id, shown, ctx.now(), ctx.app.user, happened)
    await events.tell_all(ctx, told)
    if ended is not None:
        ended = replace(ended, cookies=() if access_token else transport.cleared_cookies(ctx))
    return ended


async def _presented(ctx: Context, access_token: str | None, refresh_token: str | None) -> list[str | bytes]:
    """Answer the sessions that were shown, each by the digest of a secret or by its id."""
    given = transport.presented(ctx) if access_token is None else None
    carried = await _session_of(ctx, [given] if given else _either(access_token))
    refreshing = tokens.digest(refresh_token, "rt") if refresh_token else None
    return [shown for shown in (carried, refreshing) if shown is not None]


def _either(access_token: str | None) -> list[Presented]:
    """Answer an access credential as each transport would carry it."""
    return [Presented(via, access_token) for via in KINDS] if access_token else []


async def _session_of(ctx: Context, given: Sequence[Presented]) -> str | bytes | None:
    for each in given:
        stored = ctx.runtime.stored.get(each.via)
        if stored is None and each.digest is not None:
            return each.digest
        if stored is not None and (who := await stored.find(ctx, each.text)) is not None:
            return who.session.id
    return None


async def end_session(ctx: Context, *, session_id: str) -> int:
    """End one of one's own sessions; raise NotFound for another's, an ended or an unknown one."""
    who = _who(ctx)
    if not _may_be_id(session_id):
        raise NotFound()
    happened = _happened(ctx, who.user.id)
    ended, told = await ctx.db.write(store.end_one, ctx.tenant.id, who.user.id, session_id, ctx.now(), happened)
    if not ended:
        raise NotFound()
    await events.tell_all(ctx, told)
    return ended


async def end_other_sessions(ctx: Context) -> int:
    """End one's own sessions but the one that asks; answer how many."""
    who = _who(ctx)
    others = events.occur(ctx, events.OtherDeviceLogout(ctx.tenant.id, ctx.now(), who.user))
    happened = (*_happened(ctx, who.user.id), others)
    ended, told = await ctx.db.write(store.end_others, ctx.tenant.id, who.user.id, who.session.id, ctx.now(), happened)
    await events.tell_all(ctx, told)
    return ended


async def revoke_session(ctx: Context, session_id_or_token: str) -> EndedSession | None:
    """End any session of the tenant, known by its id or by one of its tokens; None if there is none. Server
    code only.
    """
    text = session_id_or_token
    digest = await _session_of(ctx, _either(text)) or tokens.digest(text, "rt")
    if digest is None and not _may_be_id(text):
        return None
    happened = events.occur_all(ctx, events.SessionsEnded)
    ended, told = await ctx.db.write(store.end_any, ctx.tenant.id, digest or text, ctx.now(), happened)
    await events.tell_all(ctx, told)
    return ended


def _may_be_id(text: str) -> bool:
    # No id holds what databases refuse: NUL and lone surrogates.
    return text.isascii() and text.isprintable()


async def revoke_all_sessions(ctx: Context, user_id: str | None = None) -> int:
    """End every session of a user, by default of the one who asks; answer how many."""
    whose = _who(ctx).user.id if user_id is None else user_id
    if not is_storable(whose):
        return 0
    ended, told = await ctx.db.write(store.end_all, ctx.tenant.id, whose, ctx.now(), _happened(ctx, whose))
    await events.tell_all(ctx, told)
    return ended


def _happened(ctx: Context, user_id: str) -> tuple[Occurred, ...]:
    return events.occur_all(ctx, events.SessionsEnded(ctx.tenant.id, ctx.now(), user_id, 0))


# --- looking ---


async def current(ctx: Context, *, access_token: str | None = None) -> Authenticated | None:
    """Answer who holds a token, or who sends the request; None if nobody is signed in."""
    if access_token is None:
        return ctx.who or await guard.authenticate(ctx)
    for given in _either(access_token):
        if (who := await guard.holder(ctx, given, noting=False)) is not None:
            return who
    return None


async def get_user(ctx: Context, *, access_token: str | None = None) -> User | None:
    """Answer the user of a token or of the request."""
    who = await current(ctx, access_token=access_token)
    return who.user if who else None


async def get_user_id(ctx: Context, *, access_token: str | None = None) -> str | None:
    """Answer the user's id of a token or of the request."""
    who = await current(ctx, access_token=access_token)
    return who.user.id if who else None


async def get_session(ctx: Context, *, access_token: str | None = None) -> Session | None:
    """Answer the session of a token or of the request."""
    who = await current(ctx, access_token=access_token)
    return who.session if who else None


async def list_sessions(ctx: Context, *, user_id: str | None = None) -> list[Session]:
    """Answer the live sessions of a user, by default of the one who asks, the latest first.

    `device` names the user agent, and `place` is what the hook of `Sessions(place=…)` makes of the address.
    """
    if user_id is not None:
        if not is_storable(user_id):
            return []
        return await _told(ctx, await ctx.db.read(sessions.list_live, ctx.tenant.id, user_id, ctx.now(), None))
    who = _who(ctx)
    found = await ctx.db.read(sessions.list_live, ctx.tenant.id, who.user.id, ctx.now(), who.session.id)
    return await _told(ctx, found)


async def _told(ctx: Context, found: Sequence[Session]) -> list[Session]:
    """Answer sessions with what people read: the device by name, and the place that the application knows."""
    places = {ip: await _place(ctx, ip) for ip in dict.fromkeys(session.ip for session in found)}
    return [
        replace(session, device=user_agents.readable(session.user_agent), place=places[session.ip]) for session in found
    ]


async def _place(ctx: Context, ip: str | None) -> str | None:
    hook = ctx.settings(SessionSettings).place
    if hook is None or ip is None:
        return None
    try:
        place = await ctx.hooks.call(hook, ip)
    except Exception:
        # A list of sessions without its places is still what its owner needs.
        _log.exception("Sessions(place=…) failed.")
        return None
    if not isinstance(place, str):
        return None
    return "".join(char for char in place if char.isprintable())[:MAX_PLACE] or None


# --- proving again ---


async def reauthenticate(
    ctx: Context, *, password: str | None = None, challenge_id: str | None = None, code: str | None = None
) -> SignedIn | ChallengeRequired:
    """Prove again who is signed in: by password, or by a code that is mailed when nothing is given.

    Raises NotAuthenticated, InvalidCredentials, InvalidChallenge, RateLimited. The session keeps its id and
    gets new secrets.
    """
    who = _who(ctx)
    await limits.count(ctx, Hit("reauthenticate.account", who.user.id))
    if password is not None:
        return await pipeline.renew(ctx, await _by_secret(ctx, "password", password))
    if challenge_id is None and code is None:
        return await _start(ctx, who)
    if challenge_id is None or code is None:
        raise field_error("code" if code is None else "challenge_id", "missing", "This field is required.")
    return await pipeline.renew(ctx, await _by_code(ctx, challenge_id, code))


async def _by_secret(ctx: Context, field: str, secret: str) -> Proof:
    for feature in ctx.runtime.features:
        for way in feature.reauthentications:
            if way.field == field:
                return await way.prove(ctx, secret)
    raise field_error(field, "unknown", "This cannot be proven so here.")


async def _by_code(ctx: Context, challenge_id: str, code: str) -> Proof:
    binding, subject = transport.binding_of(ctx), _subject(_who(ctx))
    attempt = await challenges.attempt(ctx, _kind(ctx), challenge_id, code, binding=binding, subject=subject)
    if not isinstance(await ctx.db.write(challenges.spend, attempt), Spent):
        raise InvalidChallenge()
    return MAIL


async def _start(ctx: Context, who: Authenticated) -> ChallengeRequired:
    if who.user.email is None:
        raise field_error("password", "missing", "This field is required.")
    begun = await mailed.start(
        ctx,
        _kind(ctx),
        mails.code,
        subject=_subject(who),
        recipient=who.user.email,
        via=who.session.transport,
        user_id=who.user.id,
        payload={},
    )
    return ChallengeRequired(begun.view(ctx), begun.cookies)


def _kind(ctx: Context) -> ChallengeKind:
    return ctx.settings(SessionSettings).reauthenticate


def _subject(who: Authenticated) -> str:
    # Bound to the session: a code mailed for one session steps up no other.
    return f"{who.user.id}:{who.session.id}"


def _who(ctx: Context) -> Authenticated:
    if ctx.who is None:
        raise NotAuthenticated()
    return ctx.who
