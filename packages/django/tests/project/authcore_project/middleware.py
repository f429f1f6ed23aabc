"""Middleware of the application's own."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils.deprecation import MiddlewareMixin


class LoginRequired(MiddlewareMixin):
    """Refuse every view that does not say it needs no login, as Django's own does."""

    def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> HttpResponse | None:
        return HttpResponseForbidden() if getattr(view, "login_required", True) else None


class ReadsBody(MiddlewareMixin):
    """Look at every body first."""

    def process_request(self, request: HttpRequest) -> None:
        request.seen = len(request.body)


class ReadsForm(MiddlewareMixin):
    """Look at every form first."""

    def process_request(self, request: HttpRequest) -> None:
        request.seen = len(request.POST)


def sync_only(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Do nothing, in a thread."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return middleware
