"""Pauses between tries: of all who contend, one try passes in each, and nobody sleeps on the server."""

from __future__ import annotations

import math

from authcore.context import Context


async def take(ctx: Context, key: str, seconds: int) -> int:
    """Take the one try of the next `seconds`; answer 0, or the seconds until the next can be taken."""
    until = str(ctx.now().timestamp() + seconds).encode()
    if await ctx.kv.compare_and_swap(key, None, until, seconds):
        return 0
    return max(1, await left(ctx, key))


async def left(ctx: Context, key: str) -> int:
    """Answer the seconds until the pause is over, 0 if there is none."""
    until = await ctx.kv.get(key)
    return 0 if until is None else max(1, math.ceil(float(until) - ctx.now().timestamp()))
