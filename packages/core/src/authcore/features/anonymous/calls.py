"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.anonymous import flow


class AnonymousCalls(Calls[M]):
    """`auth.blocking.anonymous` and `auth.asyncio.anonymous`."""

    sign_in = call(flow.sign_in)
