"""authcore in Django: settings.AUTHCORE, `include("authcore_django.urls")`, `@require()` and `request.authcore`."""

from authcore_django.guards import (
    AuthcoreRequest,
    AuthenticatedRequest,
    RequestAuth,
    SignedInAuth,
    current_session,
    current_user,
    guard,
    require,
    set_cookies,
)
from authcore_django.realtime import AuthcoreSocketMiddleware, until_ended
from authcore_django.settings import get_auth

__all__ = [
    "AuthcoreRequest",
    "AuthcoreSocketMiddleware",
    "AuthenticatedRequest",
    "RequestAuth",
    "SignedInAuth",
    "current_session",
    "current_user",
    "get_auth",
    "guard",
    "require",
    "set_cookies",
    "until_ended",
]
