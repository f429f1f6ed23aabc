"""A request's way: route, origin, body, limits, who is asking, what the route needs, the flow, the answer."""

from __future__ import annotations

from typing import Any

import msgspec

from authcore import reports
from authcore.context import DEFAULT_TENANT, MAX_TENANT, Authenticated, Context, Runtime, Tenant
from authcore.decode import decode
from authcore.errors import AuthError, ConfigurationError, OriginNotAllowed, Unavailable
from authcore.http import Request, Result
from authcore.route import Answer, Empty, Requirement, Route, Router, allowed
from authcore.services import guard, limits, origin
from authcore.services.limits import Hit

COMMON = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
_BARE = COMMON[1:]
_HTML = ("Content-Type", "text/html; charset=utf-8")
_encoder = msgspec.json.Encoder()


async def dispatch(runtime: Runtime, router: Router, request: Request) -> Result:
    """Answer one request; every AuthError becomes its answer."""
    try:
        return await _dispatch(runtime, router, request)
    except AuthError as error:
        return _bodiless(failure(error), request)


async def _dispatch(runtime: Runtime, router: Router, request: Request) -> Result:
    origin.check_host(runtime.app, request)
    if request.method == "OPTIONS":
        methods, _ = router.methods(request.path)
        return Result(204, headers=(("Allow", allowed(methods)), *_BARE))
    route, params = router.find(request.method, request.path)
    ctx = Context(runtime, await tenant_of(runtime, request), request, params)
    answer = await _handle(ctx, route, request)
    return _bodiless(encode(answer), request)


async def _handle(ctx: Context, route: Route, request: Request) -> Answer:
    if route.unsafe:
        origin.check_origin(ctx.app, ctx.tenant, request, mints=route.mints)
        body: Any = decode(request, route.body)
    else:
        body = Empty()
    if route.limit is not None:
        await limits.count(ctx, Hit(route.limit))
    if route.needs is not None:
        ctx.who = guard.enforce(ctx, await guard.authenticate(ctx), route.needs)
    return await route.handler(ctx, body)


async def tenant_of(runtime: Runtime, request: Request | None) -> Tenant:
    """Ask the application whose request this is; one default tenant where it sets no hook."""
    if runtime.app.tenant is None or request is None:
        return DEFAULT_TENANT
    tenant = await runtime.ports.hooks.call(runtime.app.tenant, request)
    if not isinstance(tenant, Tenant):
        raise ConfigurationError("Auth(tenant=…) must answer a Tenant for every request.")
    if not (0 < len(tenant.id) <= MAX_TENANT and tenant.id.isprintable()):
        raise ConfigurationError(
            f"Auth(tenant=…) must answer an id of 1 to {MAX_TENANT} printable characters; "
            "for a request that is nobody's, raise authcore.errors.NotFound()."
        )
    return tenant


async def authenticate(runtime: Runtime, request: Request) -> Authenticated | None:
    """Answer who sends the application's own request, or None."""
    ctx = Context(runtime, await tenant_of(runtime, request), request)
    return None if is_foreign(ctx) else await guard.authenticate(ctx)


async def authorize(runtime: Runtime, request: Request, needs: Requirement) -> Authenticated:
    """Answer who sends the application's own request, if that is enough; raise the AuthError that says what is
    missing.
    """
    ctx = Context(runtime, await tenant_of(runtime, request), request)
    return judge(ctx, await guard.authenticate(ctx), needs)


def judge(ctx: Context, who: Authenticated | None, needs: Requirement) -> Authenticated:
    """Decide over one look-up: several guards of one request share it."""
    check_unsafe(ctx, needs)
    return guard.enforce(ctx, who, needs)


def check_unsafe(ctx: Context, needs: Requirement) -> None:
    """Check the origin of the application's own unsafe request, unless the requirement opts out (rule R5)."""
    if needs.csrf:
        check_own(ctx, mints=False)


def check_own(ctx: Context, *, mints: bool) -> None:
    """Raise OriginNotAllowed if another site may have made the application's own unsafe request."""
    request = ctx.request
    if request is not None and request.method not in ("GET", "HEAD", "OPTIONS"):
        origin.check_origin(ctx.app, ctx.tenant, request, mints=mints)


def is_foreign(ctx: Context) -> bool:
    """Tell whether another site may have made the request, whose sender the optional look-up then keeps back (R5)."""
    try:
        check_own(ctx, mints=False)
    except OriginNotAllowed:
        return True
    return False


def failure(error: AuthError) -> Result:
    """Answer an error as every framework sends it; why a store is not available is for the log alone."""
    if isinstance(error, Unavailable):
        reports.unavailable(error)
    if error.location is not None:
        return Result(303, _encoder.encode(error.to_json()), headers=(*COMMON, ("Location", error.location)))
    return Result(error.status, _encoder.encode(error.to_json()), headers=(*COMMON, *error.headers))


def encode(answer: Answer) -> Result:
    """Encode an answer once, to bytes."""
    if answer.html is not None:
        return Result(answer.status, answer.html.encode(), answer.cookies, (_HTML, *_BARE, *answer.headers))
    if answer.value is None:
        return Result(answer.status, b"", answer.cookies, (*_BARE, *answer.headers))
    return Result(answer.status, _encoder.encode(answer.value), answer.cookies, (*COMMON, *answer.headers))


def _bodiless(result: Result, request: Request) -> Result:
    if request.method != "HEAD":
        return result
    return Result(result.status, b"", result.cookies, result.headers)
