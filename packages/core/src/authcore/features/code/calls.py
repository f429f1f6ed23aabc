"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.code import flow


class CodeCalls(Calls[M]):
    """`auth.blocking.code` and `auth.asyncio.code`."""

    request = call(flow.request)
    verify = call(flow.verify)
