"""authcore in FastAPI: `AuthCore(app, auth)` mounts it, `CurrentUser` and `require(...)` guard routes."""

from authcore_fastapi.guards import (
    CurrentCalls,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    calls,
    current_session,
    current_user,
    optional_user,
    require,
    set_cookies,
)
from authcore_fastapi.mount import AuthCore

__all__ = [
    "AuthCore",
    "CurrentCalls",
    "CurrentSession",
    "CurrentUser",
    "OptionalUser",
    "calls",
    "current_session",
    "current_user",
    "optional_user",
    "require",
    "set_cookies",
]
