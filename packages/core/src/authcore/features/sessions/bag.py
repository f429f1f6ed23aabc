"""The data bag of a request: that of its session, or of a guest, as it is told (S51)."""

from __future__ import annotations

from typing import Any

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import ConfigurationError, field_error
from authcore.features.sessions.errors import BagTooLarge
from authcore.http import Cookie
from authcore.services import bags, cookies, guard, json_values, tokens, transport
from authcore.services import sign_in as pipeline
from authcore.services.bags import Change, Full, Place
from authcore.services.ids import uuid7
from authcore.services.sessions import Issued, SessionSettings
from authcore.values import Value

MAX_KEY = 200  # characters


class BagChanged(Value, frozen=True):
    """The bag is as it was asked to be; `cookies` hand a guest's bag to its browser, or take it away."""

    cookies: tuple[Cookie, ...] = ()


class Regenerated(Value, frozen=True):
    """The bag has another secret, in `cookies`; under bearer the session's tokens are in `issued`, else it is None."""

    cookies: tuple[Cookie, ...] = ()
    issued: Issued | None = None


async def get(ctx: Context, key: str, default: Any = None) -> Any:
    """Answer the value of a key, or the default."""
    return (await all_data(ctx)).get(key, default)


async def all_data(ctx: Context) -> dict[str, Any]:
    """Answer everything that is in the bag."""
    place = await _place(ctx)
    return {} if place is None else await ctx.db.read(bags.read, place)


async def put(ctx: Context, key: str, value: Any) -> BagChanged:
    """Put a JSON value into the bag, which is made if there is none; raise InvalidFields, BagTooLarge.

    Puts of other keys at the same time are kept: each sees those before it.
    """
    if not _is_key(key):
        raise field_error("key", "invalid", f"A key is a text of 1 to {MAX_KEY} characters.")
    plain = json_values.plain(value, "value")
    place = await _place(ctx) or _new(ctx)
    return await _change(ctx, place, lambda data: {**data, key: plain})


async def forget(ctx: Context, key: str) -> BagChanged:
    """Take a key out of the bag, if it is there."""
    place = await _place(ctx)
    if place is None:
        return BagChanged()
    return await _change(ctx, place, lambda data: {name: value for name, value in data.items() if name != key})


async def flush(ctx: Context) -> BagChanged:
    """Remove the bag with everything that is in it."""
    place = await _place(ctx)
    if place is not None:
        await ctx.db.write(bags.drop, place)
    gone = bags.cleared(ctx)
    if place is not None and place.digest is not None:
        ctx.memory.pop(bags.HELD, None)
    return BagChanged(gone)


async def regenerate(ctx: Context) -> Regenerated:
    """Give the bag another secret, and a guest's another id (rule T7): the earlier secret opens nothing any more.

    Of who is signed in it is the session's secret; its id stays, and so does what it proved. Without a bag nothing
    is done.
    """
    if ctx.who is not None:
        made = await pipeline.change_secret(ctx)
        bags.hold(ctx, bags.of_session(ctx, ctx.who.user.id, ctx.who.session.id))
        return Regenerated(made.cookies, made.issued if made.session.transport == "bearer" else None)
    place = await _place(ctx)
    if place is None or place.digest is None:
        return Regenerated()
    fresh = _new(ctx)
    if fresh.digest is None or not await ctx.db.write(bags.rename, place.tenant, place.digest, fresh.digest, fresh.id):
        return Regenerated()
    bags.hold(ctx, fresh)
    return Regenerated(_cookie(ctx, fresh))


def _is_key(key: object) -> bool:
    return isinstance(key, str) and 0 < len(key) <= MAX_KEY and is_storable(key)


# --- where it is ---


async def _place(ctx: Context) -> Place | None:
    """Answer where the request's bag is; None for a guest who has none yet."""
    if ctx.request is None:
        raise ConfigurationError("A data bag belongs to a request: write auth.blocking.on(request).bag.")
    held: Place | None = ctx.memory.get(bags.HELD)
    if held is not None:
        return held
    who = ctx.who or await guard.authenticate(ctx)
    if who is not None:
        return bags.of_session(ctx, who.user.id, who.session.id)
    digest = bags.carried(ctx)
    found = await ctx.db.read(bags.guest, ctx.tenant.id, digest, ctx.now()) if digest is not None else None
    return Place(id=found, tenant=ctx.tenant.id, digest=digest) if found is not None else None


def _new(ctx: Context) -> Place:
    secret = tokens.mint(ctx.random, "bg")
    return Place(
        id=uuid7(ctx.now(), ctx.random, "bag"),
        tenant=ctx.tenant.id,
        digest=tokens.must_digest(secret, "bg"),
        fresh=secret,
    )


async def _change(ctx: Context, place: Place, changed: Change) -> BagChanged:
    settings, now = ctx.settings(SessionSettings), ctx.now()
    expires = None if place.digest is None else now + settings.ttl
    done = await ctx.db.write(bags.change, place, changed, now, expires, settings.bag_size)
    if isinstance(done, Full):
        raise BagTooLarge()
    if place.digest is not None:
        bags.hold(ctx, place)
    return BagChanged(_cookie(ctx, place))


def _cookie(ctx: Context, place: Place) -> tuple[Cookie, ...]:
    """Answer the cookie of a guest's bag; it lasts as long as the bag does, counted from the last change."""
    if place.digest is None:
        return ()
    secret = place.fresh or cookies.read(ctx.app, ctx.request, "bag") or ""
    lasts = int(ctx.settings(SessionSettings).ttl.total_seconds())
    return (cookies.make(ctx.app, "bag", secret, lasts if transport.persists(ctx, "cookie", None) else None),)
