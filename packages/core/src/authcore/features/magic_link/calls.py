"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.magic_link import flow


class MagicLinkCalls(Calls[M]):
    """`auth.blocking.magic_link` and `auth.asyncio.magic_link`."""

    request = call(flow.request)
    consume = call(flow.consume)
