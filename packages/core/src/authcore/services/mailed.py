"""Challenges that are mailed: begun, repeated, sent again and answered, the same way in every room.

A room says what its challenge is about and which mail carries it; when nothing is sent, when the same challenge is
answered again and what a stranger may see is decided here (S14, S72, S76, rules A2 and A13).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy.engine import Connection

from authcore.context import Authenticated, Context
from authcore.errors import InvalidChallenge, field_error
from authcore.http import Cookie
from authcore.services import challenges, events, limits, outbox, tokens, transport
from authcore.services.challenges import Attempt, Challenge, ChallengeKind, ChallengeView
from authcore.services.events import Occurred
from authcore.services.limits import Hit
from authcore.services.outbox import Effect
from authcore.services.sessions import Transport
from authcore.values import Value

Compose = Callable[[Context, Challenge], Effect]
"""Make the effect that carries a challenge's code and link; void if the challenge is, or if nothing shall be sent."""


class Mailed(Value, frozen=True):
    """A challenge that a client was told of, and the cookies that bind it to the browser."""

    challenge: Challenge
    cookies: tuple[Cookie, ...] = ()

    def view(self, ctx: Context, *, hint: str | None = None) -> ChallengeView:
        """Answer the challenge as clients see it."""
        return challenges.view(self.challenge, ctx.now(), hint=hint)


async def start(
    ctx: Context,
    kind: ChallengeKind,
    compose: Compose,
    *,
    subject: str,
    recipient: str,
    via: Transport,
    user_id: str | None = None,
    payload: Any = None,
    void: bool = False,
    alone: bool = False,
    happened: Occurred | None = None,
    allowance: str | None = None,
) -> Mailed:
    """Begin a challenge that holds no pending value, or answer the one that is open already; raise RateLimited.

    Any client's repeat is the same challenge: nothing goes out inside the interval, a fresh code after it. `alone` ends
    every earlier one about the subject. `void` makes the same rows for an address without an account (rule A2).
    `happened` is written beside each mail; tell of it if the challenge that is answered has its code. `allowance` names
    the bucket of mails to one subject.
    """
    binding, cookies = transport.ensure_binding(ctx, via)
    open_ = await earlier(ctx, kind, subject, binding)
    if allowance is not None and (open_ is None or challenges.may_send(open_, ctx.now())):
        await limits.count(ctx, Hit(allowance, subject))
    if open_ is not None:
        return Mailed(await repeat(ctx, open_, compose, binding, happened), cookies)
    made = challenges.draft(
        ctx,
        kind,
        subject=subject,
        recipient=recipient,
        payload=payload,
        bindings=[binding] if binding else [],
        void=void,
        user_id=user_id,
    )
    await store(ctx, made, compose, alone=alone, happened=happened)
    return Mailed(made, cookies)


async def ask(
    ctx: Context,
    kind: ChallengeKind,
    compose: Compose,
    *,
    subject: str,
    recipient: str,
    via: Transport,
    allowances: Sequence[Hit],
    user_id: str | None = None,
    payload: Any = None,
    void: bool = False,
    happened: Occurred | None = None,
) -> Mailed:
    """Begin a challenge that a stranger asks for, who is told the same whatever happens (rule A2).

    Past one of the `allowances` nothing is sent, the answer stays, and what was mailed before opens as long as it did
    (S74); a hit past one of them counts in none that follows. The latest challenge ends the earlier ones about its
    subject.
    """
    open_ = await earlier(ctx, kind, subject, _side(ctx, via))
    waits = open_ is not None and not challenges.may_send(open_, ctx.now())
    if not waits and not await _granted(ctx, allowances):
        return await _withheld(ctx, kind, subject, via, open_)
    return await start(
        ctx,
        kind,
        compose,
        subject=subject,
        recipient=recipient,
        via=via,
        user_id=user_id,
        payload=payload,
        void=void,
        alone=True,
        happened=happened,
    )


async def _granted(ctx: Context, allowances: Sequence[Hit]) -> bool:
    # One after the other: whoever is past its own share would else use up that of everybody.
    for hit in allowances:
        if not await limits.allowed(ctx, hit):
            return False
    return True


def _side(ctx: Context, via: Transport) -> str | None:
    # Which challenges a client may be answered again: those of browsers, or those that the id alone carries.
    return None if via == "bearer" else transport.binding_of(ctx) or ""


async def _withheld(ctx: Context, kind: ChallengeKind, subject: str, via: Transport, open_: Challenge | None) -> Mailed:
    binding, cookies = transport.ensure_binding(ctx, via)
    if open_ is None:
        # It stands nowhere, for no address: a row would end, or hide, a link that still opens.
        drawn = challenges.draft(ctx, kind, subject=subject, recipient=subject, payload=None, bindings=(), void=True)
        return Mailed(replace(drawn, code=None, token=None), cookies)
    if binding is not None:
        open_ = await ctx.db.write(challenges.bind, open_, binding)
    return Mailed(open_, cookies)


async def start_pending(
    ctx: Context,
    kind: ChallengeKind,
    compose: Compose,
    *,
    subject: str,
    recipient: str,
    via: Transport,
    payload: Any,
    unchanged: Callable[[Any], bool],
    user_id: str | None = None,
    void: bool = False,
    alone: bool = True,
) -> Mailed:
    """Begin a challenge that opens a pending value: a new address, a new password (rule A13).

    A repeat is the same challenge only for the same browser, while `unchanged` says so of the earlier payload. Else it
    is another challenge, with its own id and code, and unless `alone` is False the earlier ones end.
    """
    binding, cookies = transport.ensure_binding(ctx, via)
    own = await earlier(ctx, kind, subject, binding, own=True)
    if own is not None and unchanged(readable(ctx, own)):
        return Mailed(await repeat(ctx, own, compose, binding), cookies)
    made = challenges.draft(
        ctx,
        kind,
        subject=subject,
        recipient=recipient,
        payload=payload,
        bindings=[binding] if binding else [],
        void=void,
        user_id=user_id,
    )
    await store(ctx, made, compose, alone=alone)
    return Mailed(made, cookies)


async def start_proof(
    ctx: Context, kind: ChallengeKind, compose: Compose, who: Authenticated, *, recipient: str, payload: Any, void: bool
) -> Mailed:
    """Begin the proof of another address or number of who is signed in; the same one again is the same challenge."""
    return await start_pending(
        ctx,
        kind,
        compose,
        subject=who.user.id,
        recipient=recipient,
        user_id=who.user.id,
        via=who.session.transport,
        payload=payload,
        unchanged=lambda held: bool(held == payload),
        void=void,
    )


async def earlier(
    ctx: Context, kind: ChallengeKind, subject: str, binding: str | None, *, own: bool = False
) -> Challenge | None:
    """Answer the open challenge about a subject that this client may be answered again; None if there is none.

    One that browsers hold is not a bearer client's, nor the other way; `own` asks that this very browser holds it.
    """
    found = await ctx.db.read(challenges.pending, ctx.tenant.id, kind, subject, ctx.now())
    if own:
        return next((challenge for challenge in found if binding is not None and binding in challenge.bindings), None)
    return next((challenge for challenge in found if bool(challenge.bindings) == (binding is not None)), None)


def readable(ctx: Context, challenge: Challenge) -> Any:
    """Answer what a challenge carries; None if its key is gone (rule O4)."""
    try:
        return challenges.payload(ctx, challenge)
    except InvalidChallenge:
        return None


async def store(
    ctx: Context, made: Challenge, compose: Compose, *, alone: bool = False, happened: Occurred | None = None
) -> None:
    """Write a drafted challenge with its mail."""
    key = challenges.code_digest(ctx, made.id, made.code or "")
    await ctx.db.write(_begin, made, key, compose(ctx, made), alone, happened)
    outbox.wake(ctx)


def _begin(
    tx: Connection,
    challenge: Challenge,
    key: tuple[str, bytes],
    mail: Effect,
    alone: bool,
    happened: Occurred | None,
) -> None:
    challenges.insert_row(tx, challenge, *key)
    if alone:
        challenges.end_earlier(tx, challenge)
    outbox.enqueue(tx, mail)
    if happened is not None:
        events.write(tx, happened)


async def repeat(
    ctx: Context,
    open_: Challenge,
    compose: Compose,
    binding: str | None = None,
    happened: Occurred | None = None,
) -> Challenge:
    """Answer an open challenge again: with a fresh code and link once the interval has passed (S14)."""
    if binding is not None and binding not in open_.bindings:
        open_ = await ctx.db.write(challenges.bind, open_, binding)
    if not challenges.may_send(open_, ctx.now()):
        return open_
    fresh = challenges.renewed(ctx, open_)
    key = challenges.code_digest(ctx, fresh.id, fresh.code or "")
    if not await ctx.db.write(_again, fresh, open_.sent_at, key, compose(ctx, fresh), happened):
        return open_
    outbox.wake(ctx)
    return fresh


def _again(
    tx: Connection,
    fresh: Challenge,
    sent_at: Any,
    key: tuple[str, bytes],
    mail: Effect,
    happened: Occurred | None,
) -> bool:
    if not challenges.send_again(tx, fresh, sent_at, *key):
        return False
    outbox.enqueue(tx, mail)
    if happened is not None:
        events.write(tx, happened)
    return True


async def resend(
    ctx: Context,
    kind: ChallengeKind,
    compose: Compose,
    challenge_id: str,
    *,
    allowance: str | None = None,
    subject: str | None = None,
) -> Mailed:
    """Mail a fresh code under the same id, once the interval has passed; raise InvalidChallenge, RateLimited.

    `allowance` names the bucket of mails to one subject. A `subject` refuses challenges about anything else.
    """
    await limits.count(ctx, Hit("resend.address"))
    if tokens.digest(challenge_id, "ch") is None:
        raise InvalidChallenge()
    found = await ctx.db.read(challenges.find_open, ctx.tenant.id, kind, challenge_id, ctx.now())
    if found is None or not _holds(ctx, found) or subject not in (None, found.subject):
        raise InvalidChallenge()
    challenges.payload(ctx, found)  # under a key that is gone no code would open it
    if allowance is not None and challenges.may_send(found, ctx.now()):
        await limits.count(ctx, Hit(allowance, found.subject))
    return Mailed(await repeat(ctx, found, compose))


def _holds(ctx: Context, challenge: Challenge) -> bool:
    return not challenge.bindings or transport.binding_of(ctx) in challenge.bindings


async def attempt(
    ctx: Context,
    kind: ChallengeKind,
    *,
    token: str | None = None,
    challenge_id: str | None = None,
    code: str | None = None,
    subject: str | None = None,
    bound: bool = False,
    named: str | None = None,
) -> Attempt:
    """Answer what `challenges.spend` needs of a client's answer: a link's token, or a challenge with its code.

    Raises InvalidFields unless it is exactly one of the two, InvalidChallenge, RateLimited.
    """
    binding = transport.binding_of(ctx)
    if token is not None:
        if challenge_id is not None or code is not None:
            raise field_error("token", "invalid", "Send either a token, or a challenge_id with its code.")
        return await challenges.attempt_link(ctx, kind, token, subject=subject, binding=binding, bound=bound)
    if challenge_id is None or code is None:
        missing = "code" if challenge_id is not None else "challenge_id" if code is not None else "token"
        raise field_error(missing, "missing", "This field is required.")
    return await challenges.attempt(ctx, kind, challenge_id, code, binding, subject=subject, named=named)


async def held(ctx: Context, attempt: Attempt) -> tuple[Challenge, Any]:
    """Answer the challenge that an answer is about, and what it carries, before it is spent; raise InvalidChallenge."""
    found = await ctx.db.read(challenges.find_for, attempt)
    if found is None:
        raise InvalidChallenge()
    return found, challenges.payload(ctx, found)
