"""The routes of the Django project that is measured."""

from __future__ import annotations

from apps import BARE, EMAIL, GUARDED
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from authcore_django import AuthcoreRequest, require


def bare(request: HttpRequest) -> JsonResponse:
    """Answer anybody."""
    return JsonResponse({"hello": EMAIL})


@require()
def guarded(request: AuthcoreRequest) -> JsonResponse:
    """Answer who is signed in."""
    user = request.authcore.user
    return JsonResponse({"hello": user.email if user else None})


urlpatterns = [path("auth/", include("authcore_django.urls")), path(BARE[1:], bare), path(GUARDED[1:], guarded)]
