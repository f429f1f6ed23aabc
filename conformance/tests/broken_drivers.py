"""Drivers that are wrong in one way each: the suite must fail every one of them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

from msgspec import structs

from authcore import Auth, Authenticated, AuthError, Request, Requirement, Result
from authcore.route import allowed
from authcore_conformance.core_driver import CoreDriver, ThreadsCoreDriver
from authcore_conformance.driver import Build, HttpRequest, HttpResponse


class Broken(CoreDriver):
    """A driver whose name in test ids is its class."""

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__


class DropsTheSecondCookie(Broken):
    """Keeps headers in a mapping, where one name has one value."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer with the last cookie alone."""
        answer = super().send(request)
        return replace(answer, headers=tuple(dict(answer.headers).items()))


class AlwaysFine(Broken):
    """Loses the status."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 to everything."""
        return replace(super().send(request), status=200)


class IgnoresTheMethod(Broken):
    """Mounts a route for its path alone."""

    def _dispatch(self, request: Request) -> Result:
        try:
            methods, _ = self.auth.router.methods(request.path)
        except AuthError:
            return super()._dispatch(request)
        return super()._dispatch(structs.replace(request, method=min(methods)))


class ManglesBytes(Broken):
    """Decodes the body and encodes it again."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer the same JSON in other bytes."""
        answer = super().send(request)
        return replace(answer, body=json.dumps(json.loads(answer.body)).encode() if answer.body else b"")


class BlocksTheLoop(ThreadsCoreDriver):
    """Calls the blocking core from a coroutine."""

    name = "BlocksTheLoop"

    def _dispatch(self, request: Request) -> Result:
        async def handler() -> Result:
            return self.auth.blocking_core().dispatch(request)

        return self.runner.run(handler())


class DeclaresAStaleGap(Broken):
    """Says that it lacks what it has."""

    gaps = MappingProxyType({"own_routes": "guards come later"})


class DeclaresAnUnknownGap(Broken):
    """Says that it lacks what the suite does not know."""

    gaps = MappingProxyType({"patience": "never had any"})


class TakesTheLastCookie(Broken):
    """Parses Cookie into a mapping before the core sees it."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send each cookie's last value alone."""
        return super().send(replace(request, headers=tuple(map(self._single, request.headers))))

    def _single(self, header: tuple[str, str]) -> tuple[str, str]:
        if header[0] != "Cookie":
            return header
        pairs = dict(part.strip().partition("=")[::2] for part in header[1].split(";"))
        return "Cookie", "; ".join(f"{name}={value}" for name, value in pairs.items())


class ForgivesSlashes(Broken):
    """Routes /me/ to /me, as some frameworks do."""

    def _dispatch(self, request: Request) -> Result:
        return super()._dispatch(structs.replace(request, path=request.path.rstrip("/")))


class SwallowsNeighbours(Broken):
    """Mounts everything that begins like the prefix."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Serve /authx below /auth."""
        return super().send(replace(request, target=request.target.replace("/authx", "/auth/x", 1)))


class BelievesForwarding(Broken):
    """Runs behind a server that takes X-Forwarded-For for the peer."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Replace the peer by what the client says."""
        said = dict(request.headers).get("X-Forwarded-For")
        return super().send(replace(request, peer=said.partition(",")[0] if said else request.peer))


class ReadsFormsFirst(Broken):
    """Lets a framework parse the body, which then is gone."""

    def _dispatch(self, request: Request) -> Result:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return super()._dispatch(structs.replace(request, body=b"", headers={}))
        return super()._dispatch(request)


class ForgetsTheOrigin(Broken):
    """Guards the application's routes without looking where a request comes from."""

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return super()._authorize(request, structs.replace(needs, csrf=False))


class ForgetsTheScopes(Broken):
    """Guards the application's routes by who asks alone, whatever the session may do."""

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return super()._authorize(request, structs.replace(needs, scopes=()))


class ForgetsTheGuard(Broken):
    """Asks the default guard, whichever a route names."""

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return super()._authorize(request, structs.replace(needs, guards=()))


class InsistsOnSomebody(Broken):
    """Refuses nobody where a route would let nobody in."""

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        return super()._authorize(request, structs.replace(needs, optional=False))


class KnowsTheForeign(Broken):
    """Tells an open route who sends a request, wherever that comes from."""

    def _twice(self, request: Request) -> Authenticated | None:
        try:
            return super()._authorize(request, Requirement(csrf=False))
        except AuthError:
            return None


class RemembersTooLong(Broken):
    """Keeps who a credential belonged to."""

    def start(self, build: Build) -> Auth:
        """Begin with nobody known."""
        self._known: dict[str, Authenticated | None] = {}
        return super().start(build)

    def _authorize(self, request: Request, needs: Requirement) -> Authenticated | None:
        key = str(sorted(request.headers.items()))
        if key not in self._known:
            self._known[key] = super()._authorize(request, needs)
        return self._known[key]


class LooksUpTwice(Broken):
    """Asks the store each time that the handler asks who it is."""

    def _twice(self, request: Request) -> Authenticated | None:
        super()._twice(request)
        return super()._twice(request)


class AnswersOptionsItself(Broken):
    """Answers OPTIONS by itself, as CORS middleware does."""

    def _dispatch(self, request: Request) -> Result:
        if request.method == "OPTIONS":
            return Result(200, headers=(("Allow", allowed(["GET", "POST"])),))
        return super()._dispatch(request)


class RaisesUnanswered(Broken):
    """Lets an AuthError of the application's own handler end as an error of the server."""

    def _failure(self, error: AuthError) -> Result:
        return Result(500, b"Internal Server Error")


class HasNoMode(Broken):
    """Declares a mode that does not exist."""

    mode = "quickly"  # type: ignore[assignment]
