"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.password import flow, unlocking


class PasswordCalls(Calls[M]):
    """`auth.blocking.password` and `auth.asyncio.password`."""

    sign_up = call(flow.sign_up)
    verify_sign_up = call(flow.verify_sign_up)
    resend_sign_up = call(flow.resend_sign_up)
    sign_in = call(flow.sign_in)
    unlock = call(unlocking.unlock)
    unlock_by_link = call(unlocking.unlock_by_link)
