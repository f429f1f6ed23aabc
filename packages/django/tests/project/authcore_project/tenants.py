"""Whose users these are."""

import asyncio

from authcore import Request, Tenant


async def waiting(request: Request) -> Tenant:
    """Wait before answering, as a look-up would."""
    await asyncio.sleep(0)
    return Tenant(request.headers.get("x-tenant", "one"))
