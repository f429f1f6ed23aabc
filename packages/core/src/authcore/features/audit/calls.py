"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.audit import flow


class AuditCalls(Calls[M]):
    """`auth.blocking[Audit]` and `auth.asyncio[Audit]`."""

    list = call(flow.list_entries)
