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
    guard,
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


def who(request: AuthcoreRequest, name: str) -> HttpResponse:
    asked = guard(request, name)
    user = asked.user()
    return JsonResponse({"email": user.email if user else None, "check": asked.check(), "guest": asked.guest()})


async def awho(request: AuthcoreRequest, name: str) -> HttpResponse:
    asked = request.authcore.aguard(name)
    user, check, guest = await asked.user(), await asked.check(), await asked.guest()
    return JsonResponse({"email": user.email if user else None, "check": check, "guest": guest})


def attempt(request: AuthcoreRequest, name: str) -> HttpResponse:
    made = request.authcore.guard(name).attempt(**json.loads(request.body))
    email = made.user.email if made.user else None
    return set_cookies(JsonResponse({"succeeded": made.succeeded, "email": email, "token": made.access_token}), made)


async def aattempt(request: AuthcoreRequest, name: str) -> HttpResponse:
    made = await request.authcore.aguard(name).attempt(**json.loads(request.body))
    email = made.user.email if made.user else None
    return set_cookies(JsonResponse({"succeeded": made.succeeded, "email": email, "token": made.access_token}), made)


def logout(request: AuthcoreRequest, name: str) -> HttpResponse:
    ended = request.authcore.guard(name).logout()
    return set_cookies(JsonResponse({"ended": ended is not None}), ended)


async def alogout(request: AuthcoreRequest, name: str) -> HttpResponse:
    ended = await request.authcore.aguard(name).logout()
    return set_cookies(JsonResponse({"ended": ended is not None}), ended)


def login(request: AuthcoreRequest) -> HttpResponse:
    made = request.authcore.guard("api").login(json.loads(request.body)["id"], amr=("pwd",), scopes=["read"])
    return JsonResponse({"token": made.access_token})


async def alogin(request: AuthcoreRequest) -> HttpResponse:
    user = json.loads(request.body)["id"]
    made = await request.authcore.aguard("api").login(user, amr=("pwd",), scopes=["read"])
    return JsonResponse({"token": made.access_token})


@require(guard="api")
def api(request: AuthenticatedRequest) -> HttpResponse:
    again = request.authcore.guard().user()
    return JsonResponse({"email": request.authcore.user.email, "again": again.email if again else None})


@require(guard="api")
async def aapi(request: AuthenticatedRequest) -> HttpResponse:
    again = await request.authcore.aguard().user()
    return JsonResponse({"email": request.authcore.user.email, "again": again.email if again else None})


CHECKED: dict[str, Any] = {
    "user": {"email": "vouched@example.com", "display_name": "Vouched", "email_verified": True},
    "amr": ("pwd", "otp"),
    "claims": {"shop": 7},
}


def fill(request: AuthcoreRequest) -> HttpResponse:
    request.authcore.calls.bag.put("cart", [7])
    return set_cookies(HttpResponse(), request.authcore.calls.bag.put("step", 2))


async def afill(request: AuthcoreRequest) -> HttpResponse:
    await request.authcore.acalls.bag.put("cart", [7])
    return set_cookies(HttpResponse(), await request.authcore.acalls.bag.put("step", 2))


def vouch(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse(), request.authcore.calls.sessions.create_session(**CHECKED))


async def avouch(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse(), await request.authcore.acalls.sessions.create_session(**CHECKED))


def bag(request: AuthcoreRequest) -> HttpResponse:
    return JsonResponse(request.authcore.calls.bag.all())


async def abag(request: AuthcoreRequest) -> HttpResponse:
    return JsonResponse(await request.authcore.acalls.bag.all())


def regenerate(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse(), request.authcore.calls.bag.regenerate())


async def aregenerate(request: AuthcoreRequest) -> HttpResponse:
    return set_cookies(HttpResponse(), await request.authcore.acalls.bag.regenerate())
