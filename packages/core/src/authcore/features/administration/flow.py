"""What server code does to accounts, as it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import ConfigurationError, NotFound, field_error
from authcore.features.administration import store
from authcore.features.administration.errors import UserExists
from authcore.features.administration.schemas import AccountInfo
from authcore.services import accounts, admission, erasure, events, password_policy, user_fields
from authcore.services.accounts import EMAIL_PASSWORD, PHONE, USERNAME, User
from authcore.services.password_policy import PasswordPolicy

MOST = 1000  # accounts in one page


async def find(
    ctx: Context,
    *,
    user_id: str | None = None,
    email: str | None = None,
    username: str | None = None,
    phone: str | None = None,
) -> AccountInfo | None:
    """Answer the account that is known by an id, an address, a username or a phone (E.164); None if there is none.

    Raises InvalidFields for an address or a name that can be nobody's, ConfigurationError unless one thing is asked.
    """
    asked = [value for value in (user_id, email, username, phone) if value is not None]
    if len(asked) != 1:
        raise ConfigurationError("find(…) asks for one of user_id, email, username and phone.")
    if not is_storable(asked[0]):
        return None
    if user_id is None:
        user_id = await _owner(ctx, email, username, phone)
    return await ctx.db.read(store.info, ctx.tenant.id, user_id, ctx.app.user) if user_id else None


async def _owner(ctx: Context, email: str | None, username: str | None, phone: str | None) -> str | None:
    if email is not None:
        known = (EMAIL_PASSWORD, accounts.canonical_email(email))
    elif username is not None:
        known = (USERNAME, accounts.canonical_username(username))
    else:
        known = (PHONE, phone or "")
    return await ctx.db.read(accounts.owner, ctx.tenant.id, *known)


async def list_users(ctx: Context, *, after: str = "", limit: int = 100) -> Sequence[AccountInfo]:
    """Answer at most `limit` (1 to 1,000) accounts whose ids come after one, in their order."""
    return await ctx.db.read(store.page, ctx.tenant.id, after, max(1, min(limit, MOST)), ctx.app.user)


async def create(
    ctx: Context,
    *,
    email: str | None = None,
    password: str | None = None,
    password_digest: str | None = None,
    verified: bool = False,
    display_name: str | None = None,
    username: str | None = None,
    phone: str | None = None,
    fields: Mapping[str, Any] | None = None,
) -> User:
    """Make a user, or bring one from elsewhere with the digest of its password.

    The password passes the policy; a `password_digest` is taken as it is if the hasher reads it, and is replaced by a
    present one at the first sign-in. Raises UserExists, InvalidFields, SignUpClosed, Overloaded.
    """
    address = None if email is None else accounts.canonical_email(email)
    name = None if username is None else accounts.canonical_username(username)
    if address is None and name is None and phone is None:
        raise field_error("email", "missing", "A user is known by an address, a username or a phone.")
    own = user_fields.checked(dict(fields or {}), ctx.app.user, editable=False)
    digest = await _digest(ctx, password, password_digest, address)
    new = await admission.new_user(
        ctx,
        way="administration",
        email=address,
        verified=verified,
        display_name=display_name,
        username=name,
        phone=phone,
        fields=own,
    )
    happened = events.occur(ctx, events.Registered(ctx.tenant.id, ctx.now(), new.user()))
    if not await ctx.db.write(store.create, new, digest, happened):
        raise UserExists()
    await events.tell(ctx, happened)
    return new.user()


async def _digest(ctx: Context, password: str | None, digest: str | None, email: str | None) -> str | None:
    if password is not None and digest is not None:
        raise ConfigurationError("create(…) takes a password or its digest, not both.")
    if password is None:
        if digest is not None and not ctx.hasher.knows(digest):
            raise field_error("password_digest", "invalid", "This is no digest that can be verified here.")
        return digest
    if PasswordPolicy not in ctx.runtime.settings:
        raise ConfigurationError("create(password=…) needs the room 'password': write features=[Password()].")
    clean = await password_policy.accepted(ctx, password, email=email, user_id=None, field="password")
    return await ctx.hasher.hash(clean)


async def disable(ctx: Context, *, user_id: str) -> bool:
    """Disable an account: nothing signs it in, and every session, link and code of it ends (rule T9).

    Tells whether it was enabled before; raises NotFound.
    """
    happened = events.occur(ctx, events.UserDisabled(ctx.tenant.id, ctx.now(), await _user(ctx, user_id)))
    done = await ctx.db.write(store.disable, ctx.tenant.id, user_id, ctx.now(), happened)
    return await _told(ctx, done, happened)


async def enable(ctx: Context, *, user_id: str) -> bool:
    """Enable an account again; tell whether it was disabled. Raises NotFound."""
    happened = events.occur(ctx, events.UserEnabled(ctx.tenant.id, ctx.now(), await _user(ctx, user_id)))
    done = await ctx.db.write(store.enable, ctx.tenant.id, user_id, ctx.now(), happened)
    return await _told(ctx, done, happened)


async def require_password_change(ctx: Context, *, user_id: str) -> bool:
    """Let the next sign-in by password ask for another one; tell whether there is a password. Raises NotFound."""
    user = await _user(ctx, user_id)
    happened = events.occur(ctx, events.PasswordChangeRequired(ctx.tenant.id, ctx.now(), user))
    return await _told(ctx, await ctx.db.write(store.require_change, user_id, happened), happened)


async def mark_compromised(ctx: Context, *, user_id: str) -> bool:
    """Let a password open nothing until a reset replaces it, and end what it opened; tell whether there is one.

    Raises NotFound.
    """
    user = await _user(ctx, user_id)
    happened = events.occur(ctx, events.PasswordCompromised(ctx.tenant.id, ctx.now(), user))
    return await _told(ctx, await ctx.db.write(store.compromised, user_id, ctx.now(), happened), happened)


async def end_sessions(ctx: Context, *, user_id: str) -> int:
    """End every session of a user, with remember tokens and sign-ins on their way; answer how many sessions.

    Raises NotFound.
    """
    await _user(ctx, user_id)
    happened = events.occur(ctx, events.SessionsEnded(ctx.tenant.id, ctx.now(), user_id, 0))
    ended, told = await ctx.db.write(store.end_sessions, ctx.tenant.id, user_id, ctx.now(), happened)
    await events.tell_all(ctx, told)
    return ended


async def delete(ctx: Context, *, user_id: str) -> bool:
    """Delete a user at once, with everything that is stored of it; tell whether there was one."""
    return is_storable(user_id) and await erasure.erase(ctx, user_id)


async def _user(ctx: Context, user_id: str) -> User:
    if not is_storable(user_id):
        _unknown()
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user)
    return account.user if account is not None else _unknown()


def _unknown() -> NoReturn:
    raise NotFound("There is no such user.")


async def _told(ctx: Context, done: bool, happened: events.Occurred) -> bool:
    if done:
        await events.tell(ctx, happened)
    return done
