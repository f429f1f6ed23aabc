"""The routes of the Django project, by the name that its settings give under `BENCH`."""

from __future__ import annotations

from typing import Any

from apps import BARE, EMAIL, GUARDED
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from peers.shared import CREDENTIAL, REFRESH, WHO, bearer


def bare(request: HttpRequest) -> JsonResponse:
    """Answer anybody."""
    return JsonResponse({"hello": EMAIL})


def _who() -> Any:
    return get_user_model().objects.get(email=WHO)


def _session() -> tuple[Any, Any, list[Any]]:
    """Django's session and `login_required`."""

    @login_required
    def guarded(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"hello": request.user.email})

    def credential(request: HttpRequest) -> JsonResponse:
        login(request, _who(), "django.contrib.auth.backends.ModelBackend")
        return JsonResponse({"headers": {}})

    return guarded, credential, []


def _rest(authentication: Any, email: Any) -> Any:
    """Answer a view of the REST framework behind an authentication; `email` reads the request."""
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.renderers import JSONRenderer
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Guarded(APIView):
        authentication_classes = (authentication,)
        permission_classes = (IsAuthenticated,)
        renderer_classes = (JSONRenderer,)

        def get(self, request: Any) -> Response:
            return Response({"hello": email(request)})

    return Guarded.as_view()


def _simplejwt() -> tuple[Any, Any, list[Any]]:
    """Simple JWT, without I/O or with the user read, and its refresh with the blacklist."""
    from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
    from rest_framework_simplejwt.tokens import RefreshToken
    from rest_framework_simplejwt.views import TokenRefreshView

    if settings.BENCH == "simplejwt":
        guarded = _rest(JWTStatelessUserAuthentication, lambda request: request.auth["email"])
    else:
        guarded = _rest(JWTAuthentication, lambda request: request.user.email)

    def credential(request: HttpRequest) -> JsonResponse:
        token = RefreshToken.for_user(_who())
        token["email"] = WHO
        return JsonResponse({**bearer(str(token.access_token)), "refresh": str(token)})

    return guarded, credential, [path(REFRESH[1:], TokenRefreshView.as_view())]


def _allauth() -> tuple[Any, Any, list[Any]]:
    """The headless tokens of allauth: the session's, or a JWT with the user read; and the refresh of the latter."""
    from allauth.headless.contrib.rest_framework.authentication import (
        JWTTokenAuthentication,
        XSessionTokenAuthentication,
    )
    from allauth.headless.tokens.strategies.jwt import internal

    stateless = settings.BENCH == "allauth_jwt"
    guarded = _rest(
        JWTTokenAuthentication if stateless else XSessionTokenAuthentication, lambda request: request.user.email
    )

    def credential(request: HttpRequest) -> JsonResponse:
        user = _who()
        login(request, user, "django.contrib.auth.backends.ModelBackend")
        request.session.save()
        if not stateless:
            return JsonResponse({"headers": {"X-Session-Token": request.session.session_key}})
        access = internal.create_access_token(user, request.session, {})
        refresh = internal.create_refresh_token(user, request.session)
        request.session.save()
        return JsonResponse({**bearer(access), "refresh": refresh})

    return guarded, credential, [path("_allauth/", include("allauth.headless.urls"))]


ROUTES = {
    "session": _session,
    "simplejwt": _simplejwt,
    "simplejwt_user": _simplejwt,
    "allauth": _allauth,
    "allauth_jwt": _allauth,
}
guarded, credential, further = ROUTES[settings.BENCH]()
urlpatterns = [path(BARE[1:], bare), path(GUARDED[1:], guarded), path(CREDENTIAL[1:], credential), *further]
