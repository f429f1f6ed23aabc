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

from authcore.context import Context
from authcore.errors import InvalidCredentials, NotAuthenticated
from authcore.http import Cookie
from authcore.services import accounts, challenges, cookies, events, sessions, tokens, transport
from authcore.services.accounts import Account, User
from authcore.services.challenges import ChallengeView
from authcore.services.sessions import Client, Issued, Session, Transport
from authcore.values import Value


class Proof(Value, frozen=True):
    """What was shown: methods by the names of RFC 8176, and the assurance level of NIST SP 800-63B that follows."""

    amr: tuple[str, ...]
    aal: int = 1

    def __add__(self, other: Proof) -> Proof:
        """Answer both proofs together."""
        return Proof(tuple(dict.fromkeys((*self.amr, *other.amr))), max(self.aal, other.aal))


class SignInState(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in on its way; steps carry it inside their challenges."""

    user_id: str
    amr: list[str]
    aal: int
    epoch: int
    transport: Transport
    passed: list[str] = []
    device_id: str | None = None
    device_name: str | None = None


class SignedIn(Value, frozen=True):
    """A session was made. The secrets are in `issued`; `cookies` hand them to a browser."""

    hidden: ClassVar = frozenset({"issued"})
    user: User
    issued: Issued
    cookies: tuple[Cookie, ...] = ()

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
) -> Outcome:
    """Turn a proved first factor into a session, or into the next step's challenge; raise InvalidCredentials
    if disabled.
    """
    state = SignInState(
        user_id=account.user.id,
        amr=list(proof.amr),
        aal=proof.aal,
        epoch=account.epoch,
        transport=via,
        device_id=device_id,
        device_name=device_name,
    )
    return await _advance(ctx, account, state)


async def resume(ctx: Context, state: SignInState, step: str, proof: Proof) -> Outcome:
    """Carry on after a step was passed. What changed meanwhile (password, disabling) ends the sign-in (rule T9)."""
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, state.user_id)
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
    for feature in ctx.runtime.features:
        for step in feature.steps:
            if step.kind not in state.passed and await step.required(ctx, state):
                return await _challenge(ctx, step, state)
    return await _issue(ctx, account, state)


async def _challenge(ctx: Context, step: Any, state: SignInState) -> ChallengeRequired:
    made = await step.begin(ctx, state)
    return ChallengeRequired(challenges.view(made, ctx.now()))


async def _issue(ctx: Context, account: Account, state: SignInState) -> SignedIn:
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
    await ctx.db.write(sessions.insert_draft, made, _replaced(ctx, state.transport))
    await events.emit(ctx, events.Login(ctx.tenant.id, ctx.now(), account.user, made.issued.session.id))
    return SignedIn(account.user, made.issued, transport.session_cookies(ctx, made.issued))


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
    issued = _renewed(ctx, old, proof, now)
    if not await ctx.db.write(sessions.step_up, ctx.tenant.id, issued, now):
        raise NotAuthenticated()
    return SignedIn(ctx.who.user, issued, transport.session_cookies(ctx, issued))


def _renewed(ctx: Context, old: Session, proof: Proof, now: datetime) -> Issued:
    total = Proof(tuple(old.amr), old.aal) + proof
    session = msgspec.structs.replace(
        old, amr=list(total.amr), aal=total.aal, auth_time=now, last_seen_at=now, current=True
    )
    ends_at = old.created_at + ctx.settings(sessions.SessionSettings).absolute_ttl
    return sessions.secrets_for(ctx, session, ends_at)


def steps(ctx: Context) -> Sequence[Any]:
    """Answer every declared step, in the order in which they are asked."""
    return [step for feature in ctx.runtime.features for step in feature.steps]
