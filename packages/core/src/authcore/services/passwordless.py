"""Signing in by what is sent to an address or a number, whether there was an account before or not.

Rooms say how the secret travels; whose it is, what a stranger may see and what the proof does to an account is decided
here, for links, mailed codes and text messages alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.context import Context
from authcore.errors import InvalidChallenge, SignUpClosed
from authcore.ports import counting
from authcore.services import accounts, admission, challenges, credentials, events, guests, mailed
from authcore.services import sign_in as pipeline
from authcore.services.accounts import EMAIL_PASSWORD, Account, Guest, NewUser, UserShape
from authcore.services.admission import Candidate
from authcore.services.challenges import Attempt, ChallengeKind, Refused
from authcore.services.events import Event, Occurred
from authcore.services.limits import Hit
from authcore.services.mailed import Compose, Mailed
from authcore.services.sessions import Transport
from authcore.services.sign_in import Outcome, Proof
from authcore.values import Value


class Way(Value, frozen=True):
    """One way in: the provider of what is sent to, the kind of challenge, what it proves, and who may come by it.

    `grows` makes an account for who has none, at the first sign-in.
    """

    provider: str
    kind: ChallengeKind
    proof: Proof
    grows: bool


async def ask(
    ctx: Context,
    way: Way,
    identifier: str,
    compose: Callable[[Account | None], Compose],
    *,
    via: Transport,
    allowances: Sequence[Hit],
) -> Mailed:
    """Send the secret to the owner of an identifier; the answer and the work are one for everybody (rule A2)."""
    account = await ctx.db.read(accounts.by_identifier, ctx.tenant.id, identifier, ctx.app.user, way.provider)
    welcome = way.grows and await _admitted(ctx, way, identifier)
    void = account.disabled if account is not None else not welcome
    return await mailed.ask(
        ctx,
        way.kind,
        compose(account),
        subject=identifier,
        recipient=identifier,
        via=via,
        allowances=allowances,
        user_id=account.user.id if account is not None else None,
        payload={},
        void=void,
    )


async def _admitted(ctx: Context, way: Way, identifier: str) -> bool:
    # Asked of everybody: a hook that ran for strangers alone would tell them apart by the clock.
    try:
        await admission.admit(ctx, Candidate("sign_up", ctx.tenant.id, **_named(way, identifier)))
    except SignUpClosed:
        return False
    return True


def _named(way: Way, identifier: str) -> dict[str, Any]:
    return {"email" if way.provider == EMAIL_PASSWORD else "phone": identifier}


async def enter(
    ctx: Context,
    way: Way,
    attempt: Attempt,
    *,
    via: Transport,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Spend the secret and enter the pipeline; make the account first where there is none and the way lets it grow.

    Raises InvalidChallenge, InvalidCredentials of a disabled account, SignUpClosed.
    """
    found, _ = await mailed.held(ctx, attempt)
    guest, bag = await guests.answering(ctx, attempt), await guests.brings_bag(ctx, attempt)
    new = await _new(ctx, way, found.recipient, guest) if way.grows and found.user_id is None else None
    drawn = Drawn(
        way.provider,
        new,
        events.occur_all(ctx, *guests.born(ctx, new)) if new is not None else (),
        events.occur(ctx, events.Verified),
    )
    entered = await ctx.db.write(_spend, attempt, drawn, ctx.app.user, ctx.now())
    if entered is None:
        raise InvalidChallenge()
    for event in entered.happened:
        await events.tell(ctx, event)
    return await pipeline.complete(
        ctx,
        entered.account,
        way.proof,
        via=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        guest=guest,
        bag=bag,
    )


async def _new(ctx: Context, way: Way, identifier: str, guest: Guest | None) -> NewUser:
    if way.provider == EMAIL_PASSWORD:
        return await admission.new_user(ctx, way="sign_up", email=identifier, verified=True, guest=guest)
    return await admission.new_user(ctx, way="sign_up", phone=identifier, guest=guest)


class Drawn(Value, frozen=True):
    """What the transaction may need, drawn before it."""

    provider: str
    new: NewUser | None
    born: tuple[Occurred, ...]
    verified: Occurred


class Entered(Value, frozen=True):
    """Whose secret was spent, and what happened to the account by it."""

    account: Account
    happened: tuple[Event, ...] = ()


@counting
def _spend(tx: Connection, attempt: Attempt, drawn: Drawn, shape: UserShape, now: datetime) -> Entered | None:
    spent = challenges.spend(tx, attempt)
    if isinstance(spent, Refused):
        return None
    tenant, identifier = spent.challenge.tenant, spent.challenge.recipient
    if drawn.new is not None and _made(tx, drawn.new):
        return Entered(drawn.new.account(), events.write_all(tx, drawn.born))
    # Whoever proves the identifier enters the account that has it by now.
    user_id = accounts.owner(tx, tenant, drawn.provider, identifier)
    if user_id is None or spent.challenge.user_id not in (None, user_id):
        return None
    return _proven(tx, tenant, user_id, identifier, drawn, shape, now)


def _made(tx: Connection, new: NewUser) -> bool:
    try:
        with tx.begin_nested():
            return accounts.create(tx, new)
    except IntegrityError:  # somebody else's proof of the same identifier came first
        return False


def _proven(
    tx: Connection, tenant: str, user_id: str, identifier: str, drawn: Drawn, shape: UserShape, now: datetime
) -> Entered | None:
    account = accounts.by_id(tx, tenant, user_id, shape)
    if account is None:
        return None
    # A3: what strangers may have set while nobody had proven the mailbox goes first.
    if account.user.email != identifier or not credentials.prove_mailbox(tx, user_id, now):
        return Entered(account)
    fresh = accounts.by_id(tx, tenant, user_id, shape) or account
    return Entered(fresh, (events.write(tx, drawn.verified, user=fresh.user),))
