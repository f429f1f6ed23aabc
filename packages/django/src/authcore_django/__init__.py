"""authcore in Django: settings.AUTHCORE, `include("authcore_django.urls")`, `@require()` and `request.authcore`."""

from authcore_django.guards import (
    AuthcoreRequest,
    AuthenticatedRequest,
    RequestAuth,
    SignedInAuth,
    current_session,
    current_user,
    require,
    set_cookies,
)
from authcore_django.settings import get_auth

__all__ = [
    "AuthcoreRequest",
    "AuthenticatedRequest",
    "RequestAuth",
    "SignedInAuth",
    "current_session",
    "current_user",
    "get_auth",
    "require",
    "set_cookies",
]
