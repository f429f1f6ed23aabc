"""A request's way: route, origin, body, limits, who is asking, what the route needs, the flow, the answer."""

from __future__ import annotations

from typing import Any

import msgspec

from authcore import reports
from authcore.context import DEFAULT_TENANT, MAX_TENANT, Authenticated, Context, Runtime, Tenant, is_tenant_id
from authcore.decode import decode
from authcore.errors import (
    AuthError,
    ConfigurationError,
    Headers,
    NotAuthenticated,
    OriginNotAllowed,
    Overloaded,
    Unavailable,
)
from authcore.http import Request, Result
from authcore.route import Answer, Empty, Requirement, Route, Router, allowed
from authcore.services import guard, limits, named_guards, origin, own_paths
from authcore.services.limits import Hit
from authcore.services.named_guards import Named
from authcore.stores import CredentialError

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
        if not route.scoped:
            guard.enforce_whole(ctx.who)
    return await route.handler(ctx, body)


async def tenant_of(runtime: Runtime, request: Request | None) -> Tenant:
    """Ask the application whose request this is; one default tenant where it sets no hook."""
    if runtime.app.tenant is None or request is None:
        return DEFAULT_TENANT
    tenant = await runtime.ports.hooks.call(runtime.app.tenant, request)
    if not isinstance(tenant, Tenant):
        raise ConfigurationError("Auth(tenant=…) must answer a Tenant for every request.")
    if not is_tenant_id(tenant.id):
        raise ConfigurationError(
            f"Auth(tenant=…) must answer an id of 1 to {MAX_TENANT} printable characters; "
            "for a request that is nobody's, raise authcore.errors.NotFound()."
        )
    return tenant


async def authenticate(runtime: Runtime, request: Request, named: Named) -> Authenticated | None:
    """Answer who sends the application's own request by a guard, or None."""
    ctx = Context(runtime, await tenant_of(runtime, request), request)
    return None if is_foreign(ctx, named) else await named_guards.authenticate(ctx, named)


def judge(ctx: Context, who: Authenticated | None, needs: Requirement, named: Named) -> Authenticated | None:
    """Decide over one look-up, which several guards of one request share; None lets nobody in, where that is asked."""
    if needs.csrf:
        check_own(ctx, mints=_unasked(named))
    if who is None and needs.optional:
        return None
    try:
        return guard.enforce(ctx, who, needs, bearer="bearer" in named.via)
    except NotAuthenticated as error:
        if who is None and needs.redirect is None:
            error.location = _sign_in_page(ctx)
        raise


def _unasked(named: Named) -> bool:
    # What a driver of the application's own reads may be a cookie, which is none of authcore's names (rule R5).
    return named.driver is not None and named.ambient


def _sign_in_page(ctx: Context) -> str | None:
    page, request = ctx.app.sign_in_page, ctx.request
    if page is None or request is None or not guard.asks_for_page(request, page):
        return None
    return own_paths.with_next(page, request.path)


def check_own(ctx: Context, *, mints: bool) -> None:
    """Raise OriginNotAllowed if another site may have made the application's own unsafe request (rule R5)."""
    request = ctx.request
    if request is not None and request.method not in ("GET", "HEAD", "OPTIONS"):
        origin.check_origin(ctx.app, ctx.tenant, request, mints=mints)


def is_foreign(ctx: Context, named: Named) -> bool:
    """Tell whether another site may have made the request, whose sender the optional look-up then keeps back (R5)."""
    try:
        check_own(ctx, mints=_unasked(named))
    except OriginNotAllowed:
        return True
    return False


def failure(error: AuthError) -> Result:
    """Answer an error as every framework sends it; what is the operator's to mend is for the log alone."""
    if isinstance(error, Unavailable):
        reports.unavailable(error)
    elif error.status >= 500 and not isinstance(error, Overloaded):
        reports.fault(error)
    body = _encoder.encode(_told(error))
    if error.location is not None:
        return Result(303, body, headers=(*COMMON, ("Location", error.location)))
    return Result(error.status, body, headers=(*COMMON, *error.headers))


def _told(error: AuthError) -> dict[str, Any]:
    # How the application is configured is no stranger's business.
    if isinstance(error, CredentialError) and error.status >= 500:
        return {"error": {"code": error.code, "message": AuthError.message}}
    return error.to_json()


def encode(answer: Answer) -> Result:
    """Encode an answer once, to bytes."""
    if answer.html is not None:
        return Result(answer.status, answer.html.encode(), answer.cookies, (_HTML, *_BARE, *answer.headers))
    if answer.value is None:
        return Result(answer.status, b"", answer.cookies, (*_BARE, *answer.headers))
    common = COMMON if answer.cache is None else _kept(answer.cache)
    return Result(answer.status, _encoder.encode(answer.value), answer.cookies, (*common, *answer.headers))


def _kept(seconds: int) -> Headers:
    return (COMMON[0], ("Cache-Control", f"public, max-age={seconds}"), *COMMON[2:])


def _bodiless(result: Result, request: Request) -> Result:
    if request.method != "HEAD":
        return result
    return Result(result.status, b"", result.cookies, result.headers)
