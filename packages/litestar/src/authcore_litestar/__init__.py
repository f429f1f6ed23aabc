"""authcore in Litestar: `plugins=[AuthCore(auth)]` mounts it, `guards=[require()]` and `CurrentUser` guard routes."""

from authcore_litestar.guards import (
    CurrentCalls,
    CurrentSession,
    CurrentUser,
    OptionalUser,
    SignedInMiddleware,
    calls,
    current_session,
    current_user,
    optional_user,
    require,
    set_cookies,
)
from authcore_litestar.mount import AuthCore

__all__ = [
    "AuthCore",
    "CurrentCalls",
    "CurrentSession",
    "CurrentUser",
    "OptionalUser",
    "SignedInMiddleware",
    "calls",
    "current_session",
    "current_user",
    "optional_user",
    "require",
    "set_cookies",
]
