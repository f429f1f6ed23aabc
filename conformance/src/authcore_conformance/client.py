"""A small client: it keeps cookies as a browser does, or tokens as an app does, and reads answers strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from authcore_conformance.driver import HttpRequest, HttpResponse

Transport = Literal["cookie", "bearer"]
Headers = Sequence[tuple[str, str]]
ORIGIN = "https://app.example"
HOST = "app.example"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
_SECRET = re.compile(r"ac1_([a-z]{2})_[A-Za-z0-9_-]{43}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class SetCookie:
    """One `Set-Cookie`; attribute names are in lower case, flags have the value ""."""

    name: str
    value: str
    attributes: dict[str, str]

    @classmethod
    def parse(cls, header: str) -> SetCookie:
        """Answer the cookie of a header's value."""
        first, *rest = header.split("; ")
        name, _, value = first.partition("=")
        pairs = [part.partition("=") for part in rest]
        return cls(name, value, {key.lower(): text for key, _, text in pairs})

    @property
    def max_age(self) -> int | None:
        """Answer the seconds that a browser keeps it, None until it is closed."""
        text = self.attributes.get("max-age")
        return None if text is None else int(text)


@dataclass(frozen=True)
class Reply:
    """One answer, read strictly."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Answer every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Answer the one value of a header, None if it is absent."""
        values = self.all(name)
        assert len(values) < 2, f"{name} stands {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """Answer the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Answer the failure's code, having checked the failure's shape."""
        assert "error" in self.json, self
        error = self.json["error"]
        assert set(error) - {"details"} == {"code", "message"}, error
        code: str = error["code"]
        return code

    @property
    def fields(self) -> dict[str, str]:
        """Answer the wrong fields with their codes."""
        assert self.code == "invalid_fields", self
        details = self.json["error"]["details"]
        assert all(set(detail) == {"field", "code", "message"} for detail in details), details
        return {detail["field"]: detail["code"] for detail in details}

    @property
    def cookies(self) -> list[SetCookie]:
        """Answer every cookie that is set, in order."""
        return [SetCookie.parse(value) for value in self.all("set-cookie")]

    def cookie(self, stem: str) -> SetCookie | None:
        """Answer the one cookie whose name ends in `stem`."""
        found = [cookie for cookie in self.cookies if cookie.name.endswith(f"_{stem}")]
        assert len(found) < 2, found
        return found[0] if found else None

    def masked(self) -> tuple[int, list[tuple[str, str]], str]:
        """Answer all that two answers may be compared by, with what is drawn at random blotted out."""
        names = ("cache-control", "content-type", "set-cookie", "www-authenticate", "retry-after", "allow")
        kept = [(name, _blot(value)) for name in names for value in self.all(name)]
        return self.status, kept, _blot(self.body.decode())


def _blot(text: str) -> str:
    return _UUID.sub("<id>", _SECRET.sub(r"<\1>", text))


@dataclass
class Client:
    """One client. Under "cookie" it sends Origin and its jar, under "bearer" its access token."""

    _send: Callable[[HttpRequest], HttpResponse]
    prefix: str
    transport: Transport
    peer: str = "198.51.100.7"
    host: str = HOST
    headers: Headers = ()
    jar: dict[str, str] = field(default_factory=dict)
    access_token: str | None = None
    refresh_token: str | None = None

    # --- requests ---

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Headers = (),
        anonymous: bool = False,
        origin: str | None = ORIGIN,
    ) -> Reply:
        """Send a request below the prefix; `body` is bytes as they are, or a value to be sent as JSON."""
        return self.visit(method, f"{self.prefix}{path}", body, headers=headers, anonymous=anonymous, origin=origin)

    def visit(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        headers: Headers = (),
        anonymous: bool = False,
        origin: str | None = ORIGIN,
    ) -> Reply:
        """Send a request to any path of the application; `anonymous` leaves every credential out."""
        raw, kind = _encoded(body, headers)
        sent = [("Host", self.host), *self._origin(method, origin), *self._credentials(anonymous)]
        everything = (*sent, *kind, *self.headers, *headers)
        answer = self._send(HttpRequest(method, target, everything, raw, self.peer))
        reply = Reply(answer.status, answer.headers, answer.body)
        self._keep(reply)
        return reply

    def get(self, path: str, **how: Any) -> Reply:
        """Send a GET."""
        return self.request("GET", path, **how)

    def post(self, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a POST."""
        return self.request("POST", path, body, **how)

    def patch(self, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a PATCH."""
        return self.request("PATCH", path, body, **how)

    def delete(self, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a DELETE."""
        return self.request("DELETE", path, body, **how)

    def _origin(self, method: str, origin: str | None) -> list[tuple[str, str]]:
        # Browsers send Origin with whatever is unsafe; apps do not.
        asks = self.transport == "cookie" and method in UNSAFE and origin is not None
        return [("Origin", origin or "")] if asks else []

    def _credentials(self, anonymous: bool) -> list[tuple[str, str]]:
        if anonymous:
            return []
        if self.transport == "bearer":
            return [("Authorization", f"Bearer {self.access_token}")] if self.access_token else []
        return [("Cookie", self.cookie_header)] if self.jar else []

    @property
    def cookie_header(self) -> str:
        """Answer the jar as a Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _keep(self, reply: Reply) -> None:
        if self.transport == "cookie":
            for cookie in reply.cookies:
                self.jar[cookie.name] = cookie.value
                if cookie.max_age == 0:
                    del self.jar[cookie.name]
        elif reply.status in (200, 201) and reply.body.startswith(b"{") and "access_token" in (body := reply.json):
            self.access_token, self.refresh_token = body["access_token"], body["refresh_token"]

    # --- what people do ---

    def sign_up(self, email: str, password: str, **more: Any) -> Reply:
        """Sign up."""
        return self.post("/sign-up", {"email": email, "password": password, **more})

    def verify(self, started: Reply, code: str, **more: Any) -> Reply:
        """Answer the code that a sign-up mailed."""
        return self.post("/sign-up/verify", {"challenge_id": challenge_id(started), "code": code, **more})

    def resend(self, started: Reply) -> Reply:
        """Ask for the code again."""
        return self.post("/sign-up/resend", {"challenge_id": challenge_id(started)})

    def sign_in(self, email: str, password: str, **more: Any) -> Reply:
        """Sign in."""
        return self.post("/sign-in", {"email": email, "password": password, **more})

    def refresh(self, token: str | None = None) -> Reply:
        """Go on with the session: by a token given, else by what the client holds."""
        if self.transport == "cookie" and token is None:
            return self.post("/refresh", {})
        return self.post("/refresh", {"refresh_token": token or self.refresh_token})

    def who(self) -> str | None:
        """Answer the address of who is signed in, None if nobody is."""
        reply = self.get("/session")
        assert reply.status == 200, reply
        user = reply.json["user"]
        return None if user is None else str(user["email"])

    @property
    def session_secret(self) -> str | None:
        """Answer the secret that opens routes: the access token, or the session cookie's value."""
        if self.transport == "bearer":
            return self.access_token
        return next((value for name, value in self.jar.items() if name.endswith("_session")), None)


def challenge_id(reply: Reply) -> str:
    """Answer the id of the challenge that a reply holds."""
    found: str = reply.json["challenge"]["id"]
    return found


def _encoded(body: Any, headers: Headers) -> tuple[bytes, list[tuple[str, str]]]:
    typed = any(name.lower() == "content-type" for name, _ in headers)
    if body is None:
        return b"", []
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return raw, [] if typed else [("Content-Type", "application/json")]
