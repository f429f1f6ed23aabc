"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.sessions import bag, creating, ending, flow, raising


class SessionCalls(Calls[M]):
    """`auth.blocking.sessions` and `auth.asyncio.sessions`."""

    create_session = call(creating.create_session)
    bump_epoch = call(ending.bump_epoch)
    current = call(flow.current)
    end_other_sessions = call(flow.end_other_sessions)
    end_session = call(flow.end_session)
    get_session = call(flow.get_session)
    get_user = call(flow.get_user)
    get_user_id = call(flow.get_user_id)
    list_sessions = call(flow.list_sessions)
    mark_mfa_verified = call(raising.mark_mfa_verified)
    reauthenticate = call(flow.reauthenticate)
    refresh = call(flow.refresh)
    revoke_all_sessions = call(flow.revoke_all_sessions)
    revoke_device = call(ending.revoke_device)
    revoke_session = call(flow.revoke_session)
    sign_out = call(flow.sign_out)
    touch = call(flow.touch)


class BagCalls(Calls[M]):
    """`calls.bag`: the data bag of the request that `auth.blocking.on(request)` or `auth.asyncio.on(request)` names."""

    all = call(bag.all_data)
    flush = call(bag.flush)
    forget = call(bag.forget)
    get = call(bag.get)
    put = call(bag.put)
    regenerate = call(bag.regenerate)
