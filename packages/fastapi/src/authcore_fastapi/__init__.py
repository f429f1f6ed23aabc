"""authcore in FastAPI: `AuthCore(app, auth)` mounts it, `CurrentUser` and `require(...)` guard routes."""

from authcore_fastapi.guards import (
    CurrentCalls,
    CurrentGuard,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    calls,
    current_guard,
    current_session,
    current_user,
    guard,
    optional_user,
    require,
    set_cookies,
)
from authcore_fastapi.mount import AuthCore
from authcore_fastapi.realtime import SignedInSocket, authenticate_socket, until_ended

__all__ = [
    "AuthCore",
    "CurrentCalls",
    "CurrentGuard",
    "CurrentSession",
    "CurrentUser",
    "OptionalUser",
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
