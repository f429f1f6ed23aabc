"""Stores that block and stores that await, under each way in which flows run."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis_servers import redis_client
from sqlalchemy.ext.asyncio import create_async_engine
from stores import AwaitedTable

from authcore import Auth, Password, Request, Sessions
from authcore.credentials import (
    JwtCredentialStore,
    MemoryCredentialStore,
    RedisCredentialStore,
    SqlCredentialStore,
    TableCredentialStore,
)
from authcore.errors import ConfigurationError
from authcore.services.jwt import JwtKey
from authcore.stores import CredentialState
from authcore.testing.ports import FrozenClock

PASSWORD = "three quiet herons wade"
MakeAuth = Callable[..., Auth]


class Noting:
    """What blocks, and notes which threads wait in it."""

    blocks = True

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.threads: set[threading.Thread] = set()

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for."""
        self.threads.add(threading.current_thread())
        found: CredentialState | None = await super().retrieve(token)  # type: ignore[misc]
        return found

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Make a credential."""
        self.threads.add(threading.current_thread())
        made: str = await super().persist(state, ttl=ttl, seed=seed)  # type: ignore[misc]
        return made


class Holding(Noting, MemoryCredentialStore):
    """One that holds credentials."""


class Saying(Noting, JwtCredentialStore):
    """One whose tokens say everything."""

    def verified_by(self, now: datetime) -> object:
        """Answer that tokens can be read without waiting."""
        return self


async def signed_up(auth: Auth, email: str) -> str:
    """Sign somebody up; answer a token that opens routes."""
    body = {"email": email, "password": PASSWORD, "transport": "bearer"}
    made = await auth.async_core().dispatch(sent("POST", "/sign-up", json.dumps(body).encode()))
    token: str = json.loads(made.body)["access_token"]
    assert [await guarded(auth, token) for _ in range(2)] == [200, 200]
    return token


async def guarded(auth: Auth, token: str) -> int:
    """Answer 200 if a guard of an application's own route lets a token in, else 401."""
    who = await auth.async_core().authenticate(sent("GET", "/", b"", token))
    return 401 if who is None else 200


def sent(method: str, path: str, body: bytes = b"", token: str | None = None) -> Request:
    """Answer a program's request."""
    headers = {"content-type": "application/json"} if body else {}
    return Request(method, path, body, headers | ({"authorization": f"Bearer {token}"} if token else {}), "203.0.113.7")


@pytest.mark.parametrize("kind", [Holding, Saying])
def test_a_store_that_blocks_never_waits_on_the_loop(
    auth: MakeAuth, clock: FrozenClock, credentials_database: Any, kind: type[Any]
) -> None:
    """Under the asyncio drive each of its calls is made in a worker thread."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    signs = {"keys": [JwtKey.secret("a secret of these tests, long enough")], "issuer": "https://app.example"}
    store = kind(clock=clock, **(signs if kind is Saying else {}))
    made = over(auth, credentials_database, store)

    async def comes_and_goes() -> int:
        token = await signed_up(made, f"{kind.__name__}@example.com")
        await made.async_core().dispatch(sent("POST", "/sign-out", b"{}", token))
        return await guarded(made, token)

    assert asyncio.run(comes_and_goes()) == 401
    assert store.threads
    assert threading.main_thread() not in store.threads


def test_a_store_that_is_awaited_is_refused_where_flows_run_in_threads(auth: MakeAuth) -> None:
    """The sentence comes with the declaration, not with the first request, and names both ways out."""
    asyncio_redis = pytest.importorskip("redis.asyncio", reason="the Redis driver is an extra")
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")
    url = "postgresql+psycopg://127.0.0.1/none"
    stores = [
        RedisCredentialStore(asyncio_redis.Redis()),
        SqlCredentialStore(create_async_engine(url)),
        TableCredentialStore(AwaitedTable()),
    ]

    for store in stores:
        with pytest.raises(
            ConfigurationError, match=rf"a {type(store).__name__} .*redis\.Redis.*async_drive='asyncio'"
        ):
            auth(Password(), Sessions(cookie=store))
        assert auth(Password(), Sessions(bearer=store), database=url, async_drive="asyncio")


def test_a_blocking_call_beside_an_asyncio_application_leaves_it_to_the_tables(
    auth: MakeAuth, credentials_database: Any, request: pytest.FixtureRequest
) -> None:
    """A command line's call ends sessions whose credentials it cannot await: nodes refuse them by their tables."""
    pytest.importorskip("redis", reason="the Redis driver is an extra")
    with redis_client(request, "single-asyncio") as (client, prefix):
        made = over(auth, credentials_database, RedisCredentialStore(client, prefix))

        token = asyncio.run(signed_up(made, "ada@example.com"))
        found = made.blocking.administration.find(email="ada@example.com")
        assert found is not None
        made.blocking.administration.end_sessions(user_id=found.user.id)

        assert asyncio.run(guarded(made, token)) == 401


def over(auth: MakeAuth, database: Any, store: Any) -> Auth:
    """Answer an application under the asyncio drive whose access tokens live in a store."""
    made = auth(
        Password(require_code=False),
        Sessions(bearer=store),
        database=database.set(drivername="postgresql").render_as_string(hide_password=False),
        async_drive="asyncio",
    )
    made.create_tables()
    return made
