"""Several guards on one application: what each adapter does alike, asked through a client of that framework's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from authcore import Auth, Guard, Request, User

PERSON = {"email": "ada@example.com", "password": "a passphrase of some length"}
NOON = datetime(2030, 1, 1, tzinfo=UTC)
# In no table of authcore's.
GRACE = User(
    id="7",
    email="grace@example.com",
    email_verified=True,
    display_name=None,
    anonymous=False,
    created_at=NOON,
    updated_at=NOON,
)


class Keys:
    """The driver of a guard: programs send a key in a header of their own."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    def authenticate(self, request: Request) -> User | None:
        """Answer whose key it is."""
        return GRACE if request.headers.get("x-api-key") == "k" else None


class AwaitedKeys(Keys):
    """The same, for an event loop."""

    async def authenticate(self, request: Request) -> User | None:  # type: ignore[override]
        """Answer whose key it is."""
        return super().authenticate(request)


def guards(keys: type[Keys] = Keys) -> dict[str, Guard]:
    """Answer a guard for browsers, one for tokens, and one of the application's own."""
    return {"web": Guard("session"), "api": Guard("token"), "keys": Guard(keys, ambient=False)}


def credentials(name: str, answer: Any) -> dict[str, str]:
    """Answer the headers that carry what an attempt handed out."""
    if name == "api":
        return {"Authorization": f"Bearer {answer.json()['token']}"}
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


class NamedGuards:
    """The tests of an application that serves `/who`, `/enter`, `/leave`, `/vouch`, `/api`, `/keys`, `/scoped` and
    `/either`; its module has the fixture `client`, whose answers are as httpx's.
    """

    origin: ClassVar[dict[str, str]]

    @pytest.fixture
    def user(self, client: Any) -> dict[str, Any]:
        """Sign somebody up, and leave nothing of that in the client."""
        answer = client.post("/auth/sign-up", json={**PERSON, "transport": "cookie"}, headers=self.origin)
        assert answer.status_code == 201, answer.text
        client.cookies.clear()
        return dict(answer.json()["user"])

    def enter(self, client: Any, name: str, **person: str) -> Any:
        """Sign in by a guard."""
        answer = client.post(f"/enter/{name}", json={**PERSON, **person}, headers=self.origin)
        client.cookies.clear()
        return answer

    @pytest.mark.parametrize(("name", "other"), [("web", "api"), ("api", "web")])
    def test_a_guard_signs_in_by_its_own_credential(self, client: Any, user: object, name: str, other: str) -> None:
        """S16, S18, S19: `attempt` is true with a cookie or tokens, by which that guard alone knows who asks."""
        wrong, right = self.enter(client, name, password="something else entirely"), self.enter(client, name)
        carried = credentials(name, right)
        known, unknown = client.get(f"/who/{name}", headers=carried), client.get(f"/who/{other}", headers=carried)

        assert (wrong.json()["succeeded"], wrong.headers.get("set-cookie")) == (False, None)
        assert (right.json()["succeeded"], right.json()["email"]) == (True, "ada@example.com")
        handed = right.json()["token"] is None, right.headers.get("set-cookie") is None
        assert handed == (name == "web", name == "api")
        assert known.json() == {"email": "ada@example.com", "check": True, "guest": False}
        assert unknown.json() == {"email": None, "check": False, "guest": True}

    def test_a_guard_signs_out(self, client: Any, user: object) -> None:
        """S18: `logout` ends the session of the guard that is asked, and takes its cookie away."""
        carried = credentials("web", self.enter(client, "web"))

        other = client.post("/leave/api", headers={**carried, **self.origin})
        still = client.get("/who/web", headers=carried)
        left = client.post("/leave/web", headers={**carried, **self.origin})

        assert (other.json(), still.json()["check"]) == ({"ended": False}, True)
        assert left.json() == {"ended": True}
        assert left.headers["set-cookie"].startswith("authcore_session=")
        assert "Max-Age=0" in left.headers["set-cookie"]
        assert client.get("/who/web", headers=carried).json()["guest"]

    def test_a_named_guard_is_who_the_current_user_is(self, client: Any, user: object, lookups: list[str]) -> None:
        """S17: behind `require(guard="api")` the current user and the guard without a name are its own, looked up
        once.
        """
        carried = credentials("api", self.enter(client, "api"))
        client.get("/api", headers=carried)
        lookups.clear()

        answer, refused = client.get("/api", headers=carried), client.get("/api")

        assert answer.json() == {"email": "ada@example.com", "again": "ada@example.com"}
        assert len(lookups) == 1
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authenticated")

    def test_a_driver_of_ones_own_is_a_guard(self, client: Any) -> None:
        """S17, S20: a driver that the application wrote, made of the Auth, lets in whose key it knows."""
        let_in, refused = client.get("/keys", headers={"X-Api-Key": "k"}), client.get("/keys")

        assert let_in.json() == {"email": "grace@example.com"}
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authenticated")

    def test_a_session_of_fewer_scopes(self, client: Any, user: dict[str, Any]) -> None:
        """RFC 6750 3.1: `login(scopes=…)` makes a session that a route refuses which asks for more."""
        carried = credentials("api", client.post("/vouch", json={"id": user["id"]}, headers=self.origin))

        scoped, plain = client.get("/scoped", headers=carried), client.get("/api", headers=carried)

        assert plain.status_code == 200
        assert (scoped.status_code, scoped.json()["error"]["code"]) == (403, "insufficient_scope")
        assert scoped.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="read write"'

    def test_an_optional_guard_lets_nobody_in(self, client: Any, user: object) -> None:
        """`require(optional=True)` lets in whom any of its guards knows, and nobody."""
        carried = [credentials(name, self.enter(client, name)) for name in ("web", "api")]

        answers = [client.get("/either", headers=headers).json()["email"] for headers in (*carried, {})]

        assert answers == ["ada@example.com", "ada@example.com", None]
