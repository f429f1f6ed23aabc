"""The sign-in pipeline: the only way to a session (rule A1).

Every first factor ends here with a `Proof`. Each declared step that the proof does not cover stands between it
and a session:
it makes a challenge, and its answer comes back here by `resume`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import InvalidCredentials, NotAuthenticated
from authcore.feature import SignInStep
from authcore.http import Cookie
from authcore.services import access, accounts, bags, cookies, events, guests, lifetimes, sessions, tokens, transport
from authcore.services.accounts import Account, Guest, User
from authcore.services.bags import Moving
from authcore.services.challenges import ChallengeView
from authcore.services.events import Event, Occurred
from authcore.services.guests import Leaving
from authcore.services.sessions import Client, Draft, Issued, Session, Transport
from authcore.stores import MaxConcurrentReached
from authcore.values import Value


class Proof(Value, frozen=True):
    """What was shown: methods by the names of RFC 8176, and the assurance level of NIST SP 800-63B that follows."""

    amr: tuple[str, ...]
    aal: int = 1

    def __add__(self, other: Proof) -> Proof:
        """Answer both proofs together."""
        return Proof(tuple(dict.fromkeys((*self.amr, *other.amr))), max(self.aal, other.aal))


_KNOWLEDGE, _POSSESSION = {"pwd", "pin", "kba"}, {"otp", "hwk", "swk", "sc"}
_TRAIT = {"face", "fpt", "iris", "retina", "vbm"}
CODES = {"email", "sms", "tel", "mca"}  # rule A8: what is mailed or told never raises the level


def stated(amr: Sequence[str]) -> Proof:
    """Answer the proof of what an application says that it checked: level 2 for two kinds of factor (rule A1).

    "mfa" alone says that there were two; beside a mailed or texted code it says nothing more than that.
    """
    shown = set(amr)
    kinds = sum(bool(shown & kind) for kind in (_KNOWLEDGE, _POSSESSION, _TRAIT))
    several = kinds > 1 or ("mfa" in shown and not shown & CODES)
    return Proof(tuple(amr), 2 if several else 1)


class SignInState(Value, frozen=True, kw_only=True):
    """A sign-in on its way; steps carry it inside their challenges.

    `remember_token` is what the client presented to be spared a step; `remember` asks for one at the end, which lives
    until `remember_until` where an earlier one was spent for it. `guest` is the id of the user without an account whose
    session began it. `persistent`, `scopes` and `claims` are the session's, once there is one. `bag` lets the browser's
    data bag go to it.
    """

    hidden: ClassVar = frozenset({"remember_token"})
    user_id: str
    amr: list[str]
    aal: int
    epoch: int
    transport: Transport
    passed: list[str] = msgspec.field(default_factory=list)
    remember: bool = False
    remember_token: str | None = None
    remember_until: datetime | None = None
    device_id: str | None = None
    device_name: str | None = None
    guest: str | None = None
    fingerprint: str | None = None
    persistent: bool = True
    scopes: list[str] | None = None
    claims: dict[str, Any] | None = None
    bag: bool = True


class Remembered(Value, frozen=True):
    """A secret by which a step is spared next time; under cookies it is in `cookies` and `token` is None."""

    hidden: ClassVar = frozenset({"token"})
    token: str | None
    expires_at: datetime
    cookies: tuple[Cookie, ...] = ()


class SignedIn(Value, frozen=True):
    """A session was made. The secrets are in `issued`; `cookies` hand them to a browser."""

    hidden: ClassVar = frozenset({"issued"})
    user: User
    issued: Issued
    cookies: tuple[Cookie, ...] = ()
    remembered: Remembered | None = None

    @property
    def session(self) -> Session:
        """Answer the session, without secrets."""
        return self.issued.session

    @property
    def access_token(self) -> str:
        """Answer the secret that opens routes: a bearer token, or the session cookie's value."""
        return self.issued.access

    @property
    def refresh_token(self) -> str | None:
        """Answer the refresh token, or None where the session has none."""
        return self.issued.refresh


class ChallengeRequired(Value, frozen=True):
    """Something more must be proven; `cookies` bind the challenge to the browser."""

    challenge: ChallengeView
    cookies: tuple[Cookie, ...] = ()


Outcome = SignedIn | ChallengeRequired


async def complete(
    ctx: Context,
    account: Account,
    proof: Proof,
    *,
    via: Transport,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_token: str | None = None,
    guest: Guest | None = None,
    remember_me: bool | None = None,
    fingerprint: str | None = None,
    scopes: list[str] | None = None,
    claims: dict[str, Any] | None = None,
    bag: bool = True,
) -> Outcome:
    """Turn a proved first factor into a session, or into the next step's challenge; raise InvalidCredentials
    if disabled.

    A `guest` who is not the account itself ends with it, and what it had is merged. `remember_me` is what was asked
    under `Sessions(remember_me="ask")`; `scopes` and `claims` are server code's alone to give. `bag` False
    leaves the browser's data bag where it is.
    """
    state = SignInState(
        user_id=account.user.id,
        amr=list(proof.amr),
        aal=proof.aal,
        epoch=account.epoch,
        transport=via,
        device_id=device_id,
        device_name=device_name,
        remember_token=remember_token,
        guest=guest.user.id if guest is not None and guest.user.id != account.user.id else None,
        fingerprint=fingerprint,
        persistent=transport.persists(ctx, via, remember_me),
        scopes=scopes,
        claims=claims,
        bag=bag,
    )
    return await _advance(ctx, account, state)


NOTHING = Proof(())
"""What a step shows that only asks for something, such as another password."""


async def resume(ctx: Context, state: SignInState, step: str, proof: Proof) -> Outcome:
    """Carry on after a step was passed. What changed meanwhile (password, disabling) ends the sign-in (rule T9)."""
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id, ctx.app.user)
    if account is None or account.epoch != state.epoch:
        raise InvalidCredentials()
    total = Proof(tuple(state.amr), state.aal) + proof
    passed = [*state.passed, step]
    return await _advance(
        ctx, account, msgspec.structs.replace(state, amr=list(total.amr), aal=total.aal, passed=passed)
    )


async def _advance(ctx: Context, account: Account, state: SignInState) -> Outcome:
    if account.disabled:
        raise InvalidCredentials()
    for step in steps(ctx):
        if step.kind in state.passed or not await step.required(ctx, state):
            continue
        spared = await step.spare(ctx, state)
        if spared is None:
            begun = await step.begin(ctx, state)
            return ChallengeRequired(begun.view(ctx), begun.cookies)
        state = spared
    return await _issue(ctx, account, state)


async def _issue(ctx: Context, account: Account, state: SignInState) -> SignedIn:
    leaving = await guests.leaving(ctx, state.guest, account.user)
    client = transport.client_info(ctx, state.device_id, state.device_name, state.fingerprint)
    made = sessions.draft(
        ctx,
        user_id=account.user.id,
        epoch=account.epoch,
        transport=state.transport,
        amr=state.amr,
        aal=state.aal,
        client=client,
        auth_time=ctx.now(),
        persistent=state.persistent,
        scopes=state.scopes,
        claims=state.claims,
    )
    happened = events.occur_all(ctx, *_events(ctx, account.user, made.issued.session.id))
    evicting = _evicting(ctx, made)
    moving = await _moving(ctx, state, leaving)
    try:
        left, evicted = await ctx.db.write(_insert, made, moving, happened, leaving, evicting)
    except MaxConcurrentReached:
        await _give_back(ctx, state)
        raise
    issued = await _handed_over(ctx, made)
    remembered = await _remember(ctx, account, state)
    await events.tell_all(ctx, (*evicted, *happened))
    if leaving is not None and left:
        await guests.leave(ctx, leaving)
    more = (*(remembered.cookies if remembered else ()), *(bags.cleared(ctx) if state.bag else ()))
    bags.hold(ctx, bags.of_session(ctx, account.user.id, issued.session.id))
    return SignedIn(account.user, issued, (*transport.session_cookies(ctx, issued), *more), remembered)


async def _handed_over(ctx: Context, made: sessions.Draft) -> Issued:
    try:
        return await access.hand_over(ctx, made.issued)
    except Exception:  # rule O2: nobody holds it, so it must not stand among the live ones
        session = made.issued.session
        await ctx.db.write(sessions.revoke, made.tenant, made.user_id, session.id, session.created_at)
        raise


async def _moving(ctx: Context, state: SignInState, leaving: Leaving | None) -> Moving:
    """Answer what the browser had before this sign-in, and may keep."""
    return Moving(
        digest=bags.carried(ctx) if state.bag else None,
        replaced=await _replaced(ctx, state.transport),
        guest=leaving.guest.user.id if leaving is not None else None,
        most=ctx.settings(sessions.SessionSettings).bag_size,
    )


def _evicting(ctx: Context, made: Draft) -> Occurred | None:
    """Draw the event of sessions that end to make room, where they may."""
    if made.limit is None or not made.limit.evicts:
        return None
    return events.occur(ctx, events.SessionsEnded(ctx.tenant.id, ctx.now(), made.user_id, 0))


async def _give_back(ctx: Context, state: SignInState) -> None:
    """Give back what was spent to be spared a step: no session came of it."""
    for step in steps(ctx):
        if step.kind in state.passed:
            await step.give_back(ctx, state)


def _events(ctx: Context, user: User, session_id: str) -> list[Event]:
    # Who has no account proved nothing. The rows are read in the order of their times.
    proved = [] if user.anonymous else [events.Authenticated(ctx.tenant.id, ctx.now(), user)]
    return [*proved, events.Login(ctx.tenant.id, ctx.now(), user, session_id)]


async def _remember(ctx: Context, account: Account, state: SignInState) -> Remembered | None:
    """Make what spares a step next time, if this sign-in asked for it and passed such a step."""
    if state.remember:
        for step in steps(ctx):
            if step.kind in state.passed and (found := await step.remember(ctx, account, state)) is not None:
                return found
    return None


def _insert(
    tx: Connection,
    made: Draft,
    moving: Moving,
    happened: Sequence[Occurred],
    leaving: Leaving | None,
    evicting: Occurred | None,
) -> tuple[bool, tuple[Event, ...]]:
    """Store the session and retire the guest whom it replaces; tell whether this sign-in did so, and whom it evicted.

    Raises MaxConcurrentReached, which takes all of it back.
    """
    bags.move(tx, moving, made)
    count = sessions.insert_draft(tx, made, moving.replaced)
    evicted = (events.write(tx, evicting, count=count),) if evicting is not None and count else ()
    events.write_all(tx, happened)
    return leaving is not None and guests.retire(tx, leaving, made.issued.session.created_at), evicted


async def _replaced(ctx: Context, via: Transport) -> bytes | str | None:
    """Answer the session whose cookie this sign-in writes over: the digest of its secret, or its id."""
    carried = cookies.read(ctx.app, ctx.request, "session") if via == "cookie" else None
    if carried is None and via == "cookie":
        # Beside a refresh cookie the browser drops the session's own after `access_ttl`.
        refreshing = cookies.read(ctx.app, ctx.request, "refresh")
        digest = tokens.digest(refreshing, "rt") if refreshing else None
        return await ctx.db.read(sessions.family, ctx.tenant.id, digest) if digest else None
    if carried is None or via not in ctx.runtime.stored:
        return tokens.digest(carried, "st") if carried else None
    who = await ctx.runtime.stored[via].find(ctx, carried)
    return who.session.id if who else None


async def renew(ctx: Context, proof: Proof, client: Client | None = None) -> SignedIn:
    """Step up the session that asks: new secrets, a fresh `auth_time`, the same id (rule T7); raise
    NotAuthenticated.
    """
    if ctx.who is None:
        raise NotAuthenticated()
    now, old = ctx.now(), ctx.who.session
    issued = renewed(ctx, old, proof, now)
    user = ctx.who.user
    happened = events.occur_all(
        ctx,
        events.Authenticated(ctx.tenant.id, now, user),
        events.Reauthenticated(ctx.tenant.id, now, user, old.id),
    )
    if not await ctx.db.write(_step_up, ctx.tenant.id, issued, now, happened):
        raise NotAuthenticated()
    issued = await access.hand_over(ctx, issued)
    await events.tell_all(ctx, happened)
    return SignedIn(user, issued, transport.session_cookies(ctx, issued))


async def change_secret(ctx: Context) -> SignedIn:
    """Give the session that asks other secrets, and leave its authentication as old as it was (rule T7).

    Raises NotAuthenticated.
    """
    if ctx.who is None:
        raise NotAuthenticated()
    issued = renewed(ctx, ctx.who.session, Proof((), aal=0), ctx.now())
    if not await ctx.db.write(_step_up, ctx.tenant.id, issued, ctx.now(), ()):
        raise NotAuthenticated()
    issued = await access.hand_over(ctx, issued)
    return SignedIn(ctx.who.user, issued, transport.session_cookies(ctx, issued))


def _step_up(tx: Connection, tenant: str, issued: Issued, now: datetime, happened: Sequence[Occurred]) -> bool:
    if not sessions.step_up(tx, tenant, issued, now):
        return False
    events.write_all(tx, happened)
    return True


def renewed(ctx: Context, old: Session, proof: Proof, now: datetime) -> Issued:
    """Draw what carries a session on (rule T7); a proof of nothing leaves its authentication as old as it was."""
    total = Proof(tuple(old.amr), old.aal) + proof
    session = msgspec.structs.replace(
        old,
        amr=list(total.amr),
        aal=total.aal,
        auth_time=now if proof.amr else old.auth_time,
        last_seen_at=now,
        current=True,
    )
    ends_at = lifetimes.absolute_end(ctx.settings(sessions.SessionSettings), old.transport, old.created_at)
    return sessions.secrets_for(ctx, session, ends_at)


def steps(ctx: Context) -> Sequence[SignInStep]:
    """Answer every declared step, in the order in which they are asked."""
    declared = (step for feature in ctx.runtime.features for step in feature.steps)
    return sorted(declared, key=lambda step: step.last)
