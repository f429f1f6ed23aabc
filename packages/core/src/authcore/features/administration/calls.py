"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.administration import flow


class AdministrationCalls(Calls[M]):
    """`auth.blocking.administration` and `auth.asyncio.administration`. Who may make them is the caller's to say."""

    find = call(flow.find)
    list = call(flow.list_users)
    create = call(flow.create)
    disable = call(flow.disable)
    enable = call(flow.enable)
    require_password_change = call(flow.require_password_change)
    mark_compromised = call(flow.mark_compromised)
    end_sessions = call(flow.end_sessions)
    delete = call(flow.delete)
