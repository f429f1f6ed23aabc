"""The sign-in pipeline: the only way to a session (rule A1).

Every first factor ends here with a `Proof`. Each declared step that the proof does not cover stands between it
and a session:
it makes a challenge, and its answer comes back here by `resume`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import msgspec
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import InvalidCredentials, NotAuthenticated
from authcore.feature import SignInStep
from authcore.http import Cookie
from authcore.services import accounts, cookies, events, guests, sessions, tokens, transport
from authcore.services.accounts import Account, Guest, User
from authcore.services.challenges import ChallengeView
from authcore.services.events import Event, Occurred
from authcore.services.guests import Leaving
from authcore.services.sessions import Client, Issued, Session, Transport
from authcore.values import Value


class Proof(Value, frozen=True):
    """What was shown: methods by the names of RFC 8176, and the assurance level of NIST SP 800-63B that follows."""

    amr: tuple[str, ...]
    aal: int = 1

    def __add__(self, other: Proof) -> Proof:
        """Answer both proofs together."""
        return Proof(tuple(dict.fromkeys((*self.amr, *other.amr))), max(self.aal, other.aal))


class SignInState(Value, frozen=True, kw_only=True):
    """A sign-in on its way; steps carry it inside their challenges.

    `remember_token` is what the client presented to be spared a step; `remember` asks for one at the end, which lives
    until `remember_until` where an earlier one was spent for it. `guest` is the id of the user without an account whose
    session began it.
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
) -> Outcome:
    """Turn a proved first factor into a session, or into the next step's challenge; raise InvalidCredentials
    if disabled.

    A `guest` who is not the account itself ends with it, and what it had is merged.
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
    client = transport.client_info(ctx, state.device_id, state.device_name)
    made = sessions.draft(
        ctx,
        user_id=account.user.id,
        epoch=account.epoch,
        transport=state.transport,
        amr=state.amr,
        aal=state.aal,
        client=client,
        auth_time=ctx.now(),
    )
    happened = events.occur_all(ctx, *_events(ctx, account.user, made.issued.session.id))
    left = await ctx.db.write(_insert, made, _replaced(ctx, state.transport), happened, leaving)
    remembered = await _remember(ctx, account, state)
    await events.tell_all(ctx, happened)
    if leaving is not None and left:
        await guests.leave(ctx, leaving)
    more = remembered.cookies if remembered else ()
    return SignedIn(account.user, made.issued, (*transport.session_cookies(ctx, made.issued), *more), remembered)


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
    tx: Connection, made: sessions.Draft, replaced: bytes | None, happened: Sequence[Occurred], leaving: Leaving | None
) -> bool:
    """Store the session and retire the guest whom it replaces; tell whether this sign-in did so."""
    sessions.insert_draft(tx, made, replaced)
    events.write_all(tx, happened)
    return leaving is not None and guests.retire(tx, leaving, made.issued.session.created_at)


def _replaced(ctx: Context, via: Transport) -> bytes | None:
    """Answer the digest of the session cookie that this sign-in writes over."""
    carried = cookies.read(ctx.app, ctx.request, "session") if via == "cookie" else None
    return tokens.digest(carried, "st") if carried else None


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
    await events.tell_all(ctx, happened)
    return SignedIn(user, issued, transport.session_cookies(ctx, issued))


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
    ends_at = old.created_at + ctx.settings(sessions.SessionSettings).absolute_ttl
    return sessions.secrets_for(ctx, session, ends_at)


def steps(ctx: Context) -> Sequence[SignInStep]:
    """Answer every declared step, in the order in which they are asked."""
    declared = (step for feature in ctx.runtime.features for step in feature.steps)
    return sorted(declared, key=lambda step: step.last)
