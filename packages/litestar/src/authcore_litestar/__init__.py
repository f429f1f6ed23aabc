"""authcore in Litestar: `plugins=[AuthCore(auth)]` mounts it, `guards=[require()]` and `CurrentUser` guard routes."""

from authcore_litestar.guards import (
    CurrentCalls,
    CurrentGuard,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    SignedInMiddleware,
    calls,
    current_guard,
    current_session,
    current_user,
    guard,
    optional_user,
    require,
    set_cookies,
)
from authcore_litestar.mount import AuthCore
from authcore_litestar.realtime import SignedInSocket, authenticate_socket, until_ended

__all__ = [
    "AuthCore",
    "CurrentCalls",
    "CurrentGuard",
    "CurrentSession",
    "CurrentUser",
    "OptionalUser",
    "SignedInMiddleware",
    "SignedInSocket",
    "authenticate_socket",
    "calls",
    "current_guard",
    "current_session",
    "current_user",
    "guard",
    "optional_user",
    "require",
    "set_cookies",
    "until_ended",
]
