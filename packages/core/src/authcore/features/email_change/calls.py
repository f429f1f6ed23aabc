"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.email_change import flow


class EmailChangeCalls(Calls[M]):
    """`auth.blocking.email_change` and `auth.asyncio.email_change`."""

    change = call(flow.change)
    confirm = call(flow.confirm)
    undo = call(flow.undo)
