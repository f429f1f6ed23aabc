"""The one view under the prefix: it hands every method and path to the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt

from authcore import Request
from authcore.protocols import below
from authcore_django.settings import get_auth
from authcore_django.wire import _body, _request, _response

View = TypeVar("View", bound=Callable[..., Any])


def _own(view: View) -> View:
    # The core checks origins, asks for sessions, judges slashes and opens transactions itself.
    for alias in connections:
        view = transaction.non_atomic_requests(alias)(view)
    return login_not_required(no_append_slash(csrf_exempt(view)))


def _asked(request: HttpRequest) -> Request:
    path = below(request.path_info, get_auth().prefix)
    if path is None:  # the URLconf forgives leading slashes, the core does not
        raise Http404
    # Early releases of Django 5.2 keep an answer for the next who asks although it says no-store.
    cast(Any, request)._cache_update_cache = False
    return _request(request, path, *_body(request))


@_own
def serve(request: HttpRequest) -> HttpResponse:
    """Answer under WSGI."""
    return _response(get_auth().blocking_core().dispatch(_asked(request)), request.method)


@_own
async def aserve(request: HttpRequest) -> HttpResponse:
    """Answer under ASGI."""
    return _response(await get_auth().async_core().dispatch(_asked(request)), request.method)
