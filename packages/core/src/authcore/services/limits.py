"""Limits: several buckets at once, each a sliding window (rule A6). The table of them is `services/buckets.py`."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from authcore.context import Context
from authcore.errors import ConfigurationError, Overloaded, RateLimited
from authcore.ports import Tally, Window
from authcore.services import notes
from authcore.services.address import client_of, undeclared_proxy
from authcore.services.buckets import BUCKETS, SHARES, Bucket
from authcore.values import Value

__all__ = ["BUCKETS", "Bucket", "Hit", "Limits", "allowed", "clear", "count", "counted", "settled", "sign_in_mails"]

_OF_AN_ACCOUNT = ("account", "account_address", "number", "country")
_OF_A_CLIENT = ("address", "account_address")
FIRST_PAUSE, LONGEST_PAUSE = 1, 900  # seconds


class Limits(Value, frozen=True):
    """Whether anything is limited, and the allowances that the application has chosen itself, by bucket."""

    on: bool = True
    chosen: Mapping[str, int] = {}

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Answer the buckets as they are counted."""
        return tuple(replace(each, allowance=self.chosen.get(each.name, each.allowance)) for each in BUCKETS.values())

    @property
    def loosened(self) -> tuple[Bucket, ...]:
        """Answer the buckets that grant more than they do by default."""
        return tuple(bucket for bucket in self.buckets if bucket.allowance > BUCKETS[bucket.name].allowance)


class Hit(Value, frozen=True):
    """One bucket to count for one account (or number, or country), or for the client's address alone.

    `allowance` is a room's own setting, in place of the bucket's.
    """

    bucket: str
    account: str = ""
    allowance: int | None = None


def settled(given: Any) -> Limits:
    """Answer the limits that `Auth(limits=…)` asks for; raise ConfigurationError saying what to write."""
    if isinstance(given, bool):
        return Limits(on=given)
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            "Auth(limits=…) is True, False, or allowances by bucket, such as {'sign_in.address': 500}."
        )
    for name, allowance in given.items():
        if name not in BUCKETS:
            raise ConfigurationError(f"Auth(limits=…) names {name!r}, which is no bucket: `authcore limits show` does.")
        if type(allowance) is not int or allowance < 1:
            raise ConfigurationError(f"Auth(limits={{{name!r}: {allowance!r}}}) is a whole number of hits, at least 1.")
    return Limits(chosen=dict(given))


async def count(ctx: Context, *hits: Hit) -> None:
    """Count every hit, then raise RateLimited (or Overloaded) if any bucket was over; all are counted either way."""
    over = await counted(ctx, *hits)
    refuse({bucket: wait for bucket, wait in over.items() if BUCKETS[bucket].past != "slows"})


async def allowed(ctx: Context, *hits: Hit) -> bool:
    """Count every hit and tell whether all are inside their allowances: if not, answer alike and send nothing."""
    return not await counted(ctx, *hits)


def sign_in_mails(email: str) -> tuple[Hit, ...]:
    """Answer the allowances of sign-in mails to an address: the client's own share goes before everybody's."""
    return Hit("mail_sign_in.account_address", email), Hit("mail_sign_in.account", email)


async def counted(ctx: Context, *hits: Hit) -> dict[str, int]:
    """Count every hit, and answer the seconds to wait for each bucket that was over."""
    tallies = await tally(ctx, *hits)
    return {hit.bucket: each.wait for hit, each in zip(hits, tallies, strict=False) if each.wait}


def refuse(over: Mapping[str, int], at_least: int = 0) -> None:
    """Raise for buckets that were over, with the longest wait, if it is not 0; Overloaded if no client is at fault."""
    wait = max([at_least, *over.values()])
    if wait and not at_least and {BUCKETS[name].past for name in over} == {"overloaded"}:
        raise Overloaded(headers=(("Retry-After", str(wait)),))
    if wait:
        raise RateLimited.after(wait)


async def tally(ctx: Context, *hits: Hit) -> Sequence[Tally]:
    """Count every hit and answer what is known of each bucket; nothing where limits are switched off."""
    if not ctx.app.limits.on or not hits:
        return ()
    proxy = undeclared_proxy(ctx.request, ctx.app.trusted_proxies)
    if proxy is not None:
        await notes.write(ctx.kv, notes.UNDECLARED_PROXY, proxy)
    return await ctx.limiter.hit([_window(ctx, hit) for hit in hits])


async def clear(ctx: Context, *hits: Hit) -> None:
    """Forget the counts of buckets, after a success."""
    if ctx.app.limits.on and hits:
        await ctx.limiter.clear([_window(ctx, hit) for hit in hits])


def _window(ctx: Context, hit: Hit) -> Window:
    bucket = BUCKETS[hit.bucket]
    allowance = hit.allowance or ctx.app.limits.chosen.get(bucket.name, bucket.allowance)
    # A mail that was not sent is no mail: else whoever keeps asking would keep the owner's from being sent for ever.
    return Window(
        key(ctx, hit),
        allowance * _factor(ctx, bucket),
        bucket.window,
        counts_refused=bucket.past != "withholds",
        steps=bucket.steps,
    )


def _factor(ctx: Context, bucket: Bucket) -> int:
    if bucket.by not in (*_OF_A_CLIENT, "share"):
        return 1
    return client_of(ctx.request, ctx.app.trusted_proxies).factor


def key(ctx: Context, hit: Hit) -> str:
    """Answer the key of one bucket. It is a digest: a store of limits names nobody (rule O3)."""
    by, client = BUCKETS[hit.bucket].by, client_of(ctx.request, ctx.app.trusted_proxies).key
    who = [ctx.tenant.id, hit.bucket]
    if by in _OF_AN_ACCOUNT:
        who.append(hit.account)
    if by in _OF_A_CLIENT:
        who.append(client)
    if by == "share":
        who.append(str(hashlib.sha256(client.encode()).digest()[0] % SHARES))
    raw = hashlib.sha256("\0".join(who).encode()).digest()
    return f"limit:{urlsafe_b64encode(raw[:24]).decode()}"
