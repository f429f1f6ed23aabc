"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.email_code import flow, remembering


class EmailCodeCalls(Calls[M]):
    """`auth.blocking.email_code` and `auth.asyncio.email_code`."""

    verify = call(flow.verify)
    resend = call(flow.resend)
    forget_remembered = call(remembering.forget_remembered)
    list_remembered = call(remembering.list_remembered)
