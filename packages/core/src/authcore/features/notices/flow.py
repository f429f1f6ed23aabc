"""Telling an account's owner of what happened to it: listeners of events, each called after its commit (ASVS 6.3.7)."""

from __future__ import annotations

from typing import Any

from authcore.context import Context
from authcore.features.notices import devices, mails, store
from authcore.features.notices.settings import NoticeSettings
from authcore.ports import Count
from authcore.services import accounts, events, outbox, transport
from authcore.services.accounts import User
from authcore.services.events import EmailChanged, Failed, Login, LoginFromNewDevice
from authcore.services.keys import mac

DAY = 86400  # seconds
_TELL_THEMSELVES = ("account", "email_change")


# --- devices ---


async def met(ctx: Context, event: Login) -> None:
    """Note the device of a sign-in; tell the owner, and listeners, of one that is not known."""
    if event.user.anonymous:
        return
    found = await ctx.db.read(store.client_of, event.tenant, event.session_id)
    client = found or transport.client_info(ctx)
    known_by = devices.digests(ctx, event.user.id, client)
    data = {"device": devices.label(client), "ip": client.ip}
    notice = mails.notice(ctx, "notice_new_device", event.user, await _locale(ctx, event.user), data=data)
    happened = events.occur(ctx, LoginFromNewDevice(event.tenant, event.at, event.user, event.session_id))
    told = await ctx.db.write(store.meet, event.user.id, known_by, ctx.now(), happened, notice)
    if told is not None:
        outbox.wake(ctx)
        await events.tell(ctx, told)


# --- sign-ins after failures ---


async def failed(ctx: Context, event: Failed) -> None:
    """Count a refused sign-in, of an address with an account or without (rule A2)."""
    await ctx.kv.increment([Count(_key(ctx, event.email), 1, DAY)])


async def succeeded(ctx: Context, event: Login) -> None:
    """Tell the owner of a sign-in that followed many refused ones."""
    least, email = ctx.settings(NoticeSettings).after_failures, event.user.email
    if least is None or email is None:
        return
    key = _key(ctx, email)
    [count] = await ctx.kv.increment([Count(key, 0, DAY)])
    if count == 0:
        return
    await ctx.kv.delete([key])
    if count >= least:
        await _send(ctx, "notice_failures", event.user, data={"count": count})


def _key(ctx: Context, email: str) -> str:
    _, secret = ctx.app.keys.current("notices")
    return f"notices:{mac(secret, ctx.tenant.id.encode(), email.encode('utf-8', 'surrogatepass')).hex()}"


# --- what changed ---


async def password(ctx: Context, event: Any) -> None:
    """Tell the owner that the password was changed or reset."""
    await _send(ctx, "notice_password", event.user)


async def password_set(ctx: Context, event: Any) -> None:
    """Tell the owner that the account has a password, which it had not."""
    await _send(ctx, "notice_password_set", event.user)


async def email(ctx: Context, event: EmailChanged) -> None:
    """Tell the address that lost the account, unless the room that changed it has done so itself."""
    if event.old_email is not None and not any(room.name in _TELL_THEMSELVES for room in ctx.runtime.features):
        await _send(ctx, "notice_email", event.user, to=event.old_email)


async def phone(ctx: Context, event: Any) -> None:
    """Tell the owner that the phone was added, replaced or removed."""
    await _send(ctx, "notice_phone", event.user)


async def username(ctx: Context, event: Any) -> None:
    """Tell the owner that the username was set, replaced or removed."""
    await _send(ctx, "notice_username", event.user)


# --- what they share ---


async def _send(
    ctx: Context, kind: str, user: User, *, to: str | None = None, data: dict[str, Any] | None = None
) -> None:
    notice = mails.notice(ctx, kind, user, await _locale(ctx, user), to=to, data=data)
    if notice is not None:
        await ctx.db.write(outbox.enqueue, notice)
        outbox.wake(ctx)


async def _locale(ctx: Context, user: User) -> str | None:
    account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user.id, ctx.app.user)
    return account.locale if account else None
