"""`authcore_django.middleware.AuthcoreMiddleware`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from authcore import AuthError
from authcore_django.guards import auth_of, failure, varied
from authcore_django.settings import get_auth
from authcore_django.views import aserve, serve


class AuthcoreMiddleware:
    """Set `request.authcore`, and answer an AuthError that escapes a view with its code and status.

    A response for which somebody asked who is signed in says `Vary: Cookie, Authorization`, with the header of
    `Sessions(header=…)` where there is one.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request."""
        auth_of(request)
        if self._async:
            return self._acall(request)
        return varied(request, serve(request) if _is_bare(request) else self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        return varied(request, await (aserve(request) if _is_bare(request) else self.get_response(request)))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer an AuthError; others are somebody else's."""
        return failure(request, error) if isinstance(error, AuthError) else None


def _is_bare(request: HttpRequest) -> bool:
    return request.path_info == get_auth().prefix  # `path("auth/", …)` does not serve the bare prefix
