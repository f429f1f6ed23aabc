"""Who may become a user: the one door through which every account is made, whatever room asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from authcore.context import Context
from authcore.errors import ConfigurationError, SignUpClosed
from authcore.services.accounts import Guest, NewUser
from authcore.services.ids import uuid7
from authcore.values import Value

Way = Literal["sign_up", "invitation", "administration", "anonymous"]
"""How an account comes to be: asked for by its owner, by an invitation, by server code, or without a name."""

_INSIDE = ("invitation", "administration", "anonymous")  # ways that a closed sign-up leaves open


class Candidate(Value, frozen=True):
    """Somebody about to become a user: what the hook of `Auth(sign_up=…)` is asked about."""

    way: Way
    tenant: str
    email: str | None = None
    phone: str | None = None
    display_name: str | None = None


async def admit(ctx: Context, candidate: Candidate) -> None:
    """Raise SignUpClosed unless the application takes the candidate in.

    A hook answers True or False, or raises an AuthError of its own; it sees nothing of who has an account.
    """
    rule = ctx.app.sign_up
    if isinstance(rule, str):
        if rule == "closed" and candidate.way not in _INSIDE:
            raise SignUpClosed()
        return
    answered = await ctx.hooks.call(rule, candidate)
    if not isinstance(answered, bool):
        raise ConfigurationError("Auth(sign_up=…) is asked about a Candidate and answers True or False.")
    if not answered:
        raise SignUpClosed()


async def new_user(
    ctx: Context,
    *,
    way: Way,
    email: str | None = None,
    verified: bool = False,
    display_name: str | None = None,
    username: str | None = None,
    phone: str | None = None,
    locale: str | None = None,
    fields: Mapping[str, Any] | None = None,
    guest: Guest | None = None,
) -> NewUser:
    """Answer an admitted user, drawn before the transaction that makes it by `accounts.create`; raise SignUpClosed.

    A `guest` becomes the account: what is not given stays as the guest has it.
    """
    await admit(ctx, Candidate(way, ctx.tenant.id, email, phone, display_name))
    now = ctx.now()
    if guest is not None:
        display_name, locale = display_name or guest.user.display_name, locale or guest.locale
        fields = {**guest.fields, **(fields or {})}
    return NewUser(
        id=guest.user.id if guest else uuid7(now, ctx.random, "user"),
        tenant=ctx.tenant.id,
        email=email,
        email_verified_at=now if verified else None,
        display_name=display_name,
        created_at=now,
        username=username,
        phone=phone,
        locale=locale,
        fields=fields,
        anonymous=way == "anonymous",
        shape=ctx.app.user,
        guest=guest,
    )
