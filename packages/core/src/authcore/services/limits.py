"""Limits: several buckets at once, each a sliding window over two counters (rule A6).

The estimate of a window is the present counter plus the part of the previous one that the window still covers.
"""

from __future__ import annotations

import hashlib
import math
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Literal

from authcore.context import Context
from authcore.errors import RateLimited
from authcore.ports import Count
from authcore.services import notes
from authcore.services.address import client_of, undeclared_proxy
from authcore.values import Value

By = Literal["address", "account", "account_address"]


class Bucket(Value, frozen=True):
    """`allowance` hits in `window` seconds, counted per address, per account, or per account with address."""

    allowance: int
    window: int  # seconds
    by: By


BUCKETS: dict[str, Bucket] = {
    "sign_in.account_address": Bucket(10, 60, "account_address"),  # success clears this one alone
    "sign_in.account": Bucket(100, 3600, "account"),
    "sign_in.address": Bucket(200, 600, "address"),
    "sign_up.address": Bucket(30, 3600, "address"),
    "sign_up.account": Bucket(10, 3600, "account"),  # mails that strangers can cause to one mailbox
    "code.account_address": Bucket(20, 3600, "account_address"),  # attempts at codes, across challenges
    "code.account": Bucket(500, 3600, "account"),  # the same from everywhere: 6 digits are hit once in 2,000 hours
    "code.address": Bucket(100, 600, "address"),
    "resend.address": Bucket(30, 600, "address"),
    "reauthenticate.account": Bucket(20, 600, "account"),
    "refresh.address": Bucket(600, 60, "address"),
}


class Hit(Value, frozen=True):
    """One bucket to count for one account, or for the client's address alone."""

    bucket: str
    account: str = ""


async def count(ctx: Context, *hits: Hit) -> None:
    """Count every hit, then raise RateLimited if any bucket was over; all are counted either way."""
    if not ctx.app.limits or not hits:
        return
    proxy = undeclared_proxy(ctx.request, ctx.app.trusted_proxies)
    if proxy is not None:
        await notes.write(ctx.kv, notes.UNDECLARED_PROXY, proxy)
    now = ctx.now().timestamp()
    counters = [counter for hit in hits for counter in _counters(ctx, hit, now)]
    sums = await ctx.kv.increment(counters)
    waits = [_wait(ctx, hit, now, sums[2 * i], sums[2 * i + 1]) for i, hit in enumerate(hits)]
    if max(waits) > 0:
        raise RateLimited.after(max(waits))


async def clear(ctx: Context, hit: Hit) -> None:
    """Forget a bucket's counts, after a success."""
    if ctx.app.limits:
        await ctx.kv.delete([counter.key for counter in _counters(ctx, hit, ctx.now().timestamp())])


def _counters(ctx: Context, hit: Hit, now: float) -> Sequence[Count]:
    bucket = BUCKETS[hit.bucket]
    index, key = int(now // bucket.window), _key(ctx, hit, bucket)
    ttl = bucket.window * 2
    return Count(f"{key}:{index}", 1, ttl), Count(f"{key}:{index - 1}", 0, ttl)


def _wait(ctx: Context, hit: Hit, now: float, current: int, previous: int) -> int:
    """Answer the seconds until one more hit is inside the allowance, 0 if this one is."""
    bucket, allowance = BUCKETS[hit.bucket], _allowance(ctx, BUCKETS[hit.bucket])
    window, passed = bucket.window, now % bucket.window
    if current + previous * (1 - passed / window) <= allowance:
        return 0
    room = allowance - 1
    if current <= room and previous:
        return math.ceil(window * (1 - (room - current) / previous) - passed)
    return math.ceil(window - passed + window * max(0.0, 1 - room / current))


def _allowance(ctx: Context, bucket: Bucket) -> int:
    factor = 1 if bucket.by == "account" else client_of(ctx.request, ctx.app.trusted_proxies).factor
    return bucket.allowance * factor


def _key(ctx: Context, hit: Hit, bucket: Bucket) -> str:
    who = [ctx.tenant.id, hit.bucket]
    if bucket.by != "address":
        who.append(hit.account)
    if bucket.by != "account":
        who.append(client_of(ctx.request, ctx.app.trusted_proxies).key)
    # The key is a digest: a store of limits names nobody.
    raw = hashlib.sha256("\0".join(who).encode()).digest()
    return f"limit:{urlsafe_b64encode(raw[:24]).decode()}"
