"""The addresses of the target in Django."""

from __future__ import annotations

import importlib
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

_adapter: Any = importlib.import_module("authcore_django")


def hello(request: HttpRequest) -> JsonResponse:
    """Greet those alone who are signed in."""
    return JsonResponse({"hello": _adapter.current_user(request).email})


urlpatterns = [path("auth/", include("authcore_django.urls")), path("hello", _adapter.require()(hello))]
