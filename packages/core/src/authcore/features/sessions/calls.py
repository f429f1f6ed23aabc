"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.sessions import flow


class SessionCalls(Calls[M]):
    """`auth.blocking.sessions` and `auth.asyncio.sessions`."""

    current = call(flow.current)
    end_other_sessions = call(flow.end_other_sessions)
    end_session = call(flow.end_session)
    get_session = call(flow.get_session)
    get_user = call(flow.get_user)
    get_user_id = call(flow.get_user_id)
    list_sessions = call(flow.list_sessions)
    reauthenticate = call(flow.reauthenticate)
    refresh = call(flow.refresh)
    revoke_all_sessions = call(flow.revoke_all_sessions)
    revoke_session = call(flow.revoke_session)
    sign_out = call(flow.sign_out)
