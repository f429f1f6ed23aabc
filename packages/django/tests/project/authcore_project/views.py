"""Views of the application's own, guarded by each idiom."""

import json
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View

from authcore import SignedIn
from authcore.errors import Conflict
from authcore_django import (
    AuthcoreRequest,
    AuthenticatedRequest,
    current_session,
    current_user,
    get_auth,
    require,
    set_cookies,
)


@require()
def hello(request: AuthenticatedRequest) -> HttpResponse:
    return JsonResponse({"hello": request.authcore.user.email, "session": current_session(request).id})


@require()
async def ahello(request: AuthenticatedRequest) -> HttpResponse:
    user, session = await request.authcore.auser(), await request.authcore.asession()
    return JsonResponse({"hello": user.email, "session": session.id})


class Hello(View):
    """Guarded by Django's own idiom for classes."""

    @method_decorator(require())
    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(*args, **kwargs)

    def get(self, request: AuthenticatedRequest) -> HttpResponse:
        return JsonResponse({"hello": request.authcore.user.email, "session": request.authcore.session.id})


@require()
class AsyncHello(View):
    async def get(self, request: AuthenticatedRequest) -> HttpResponse:
        user, session = await request.authcore.auser(), await request.authcore.asession()
        return JsonResponse({"hello": user.email, "session": session.id})


def open_to_all(request: AuthcoreRequest) -> HttpResponse:
    user = current_user(request)
    return JsonResponse({"email": user.email if user else None, "same": user is current_user(request)})


async def aopen(request: AuthcoreRequest) -> HttpResponse:
    user = await request.authcore.auser()
    return JsonResponse({"email": user.email if user else None, "same": user is await request.authcore.auser()})


async def on_the_loop(request: AuthenticatedRequest) -> HttpResponse:
    try:
        return JsonResponse({"email": request.authcore.user.email})
    except RuntimeError as error:
        return JsonResponse({"error": str(error)})


def done(request: AuthcoreRequest) -> HttpResponse:
    return JsonResponse({"done": True})


async def adone(request: AuthcoreRequest) -> HttpResponse:
    return JsonResponse({"done": True})


@require()
@require(fresh="5m")
def twice(request: AuthenticatedRequest) -> HttpResponse:
    return JsonResponse({"email": request.authcore.user.email})


def raising(request: AuthcoreRequest) -> HttpResponse:
    raise Conflict("Somebody was faster.", headers=(("Retry-After", "3"),))


async def araising(request: AuthcoreRequest) -> HttpResponse:
    raise Conflict("Somebody was faster.", headers=(("Retry-After", "3"),))


def failing(request: AuthcoreRequest) -> HttpResponse:
    raise LookupError("not authcore's")


def enter(request: AuthcoreRequest) -> HttpResponse:
    outcome = request.authcore.calls.password.sign_in(**json.loads(request.body), transport="cookie")
    assert isinstance(outcome, SignedIn)
    return set_cookies(JsonResponse({"hello": outcome.user.email}), outcome)


async def aenter(request: AuthcoreRequest) -> HttpResponse:
    outcome = await request.authcore.acalls.password.sign_in(**json.loads(request.body), transport="cookie")
    assert isinstance(outcome, SignedIn)
    return set_cookies(JsonResponse({"hello": outcome.user.email}), outcome)


def outside(request: AuthcoreRequest) -> HttpResponse:
    """Ask without a request, as a task does."""
    token = request.headers["Authorization"].partition(" ")[2]
    return JsonResponse({"user": get_auth().blocking.sessions.get_user_id(access_token=token)})


def leave(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse("out"), request.authcore.calls.sessions.sign_out())


async def aleave(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse("out"), await request.authcore.acalls.sessions.sign_out())
