"""The least that a rotation can be: a transaction with two statements, by the bare driver, behind a bare route.

One statement spends a token if it is live and answers whose it was, the other one stores the next: the rows and the
digests of any rotation, nothing else. PostgreSQL alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import psycopg
from apps import BARE, EMAIL, database_url

from peers.shared import CREDENTIAL, REFRESH

TABLE = "CREATE TABLE rotating (digest bytea PRIMARY KEY, family bigint NOT NULL, spent_at timestamptz)"
SPEND = "UPDATE rotating SET spent_at = now() WHERE digest = %s AND spent_at IS NULL RETURNING family"
STORE = "INSERT INTO rotating (digest, family) VALUES (%s, %s)"


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


class Kept:
    """One connection that is kept, for a server that answers one request at a time."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def make(self) -> dict[str, Any]:
        """Store a token and answer it."""
        token = token_urlsafe(32)
        self._connected().execute(STORE, (_digest(token), 1))
        self._connected().commit()
        return {"refresh": token}

    def rotate(self, token: str) -> dict[str, Any]:
        """Spend a token and store the next."""
        after = token_urlsafe(32)
        with self._connected().transaction(), self._connected().cursor() as cursor:
            [family] = cursor.execute(SPEND, (_digest(token),)).fetchall()[0]
            cursor.execute(STORE, (_digest(after), family))
        return {"refresh": after}

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(database_url())
        return self._connection


class Pooled:
    """A pool of connections, for an event loop."""

    def __init__(self) -> None:
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[Any]] = asyncio.LifoQueue()

    async def start(self) -> None:
        """Open as many connections as the client keeps busy."""
        for _ in range(8):
            self._free.put_nowait(await psycopg.AsyncConnection.connect(database_url()))

    async def stop(self) -> None:
        """Close them."""
        while not self._free.empty():
            await self._free.get_nowait().close()

    async def make(self) -> dict[str, Any]:
        """Store a token and answer it."""
        token = token_urlsafe(32)
        connection = await self._free.get()
        await connection.execute(STORE, (_digest(token), 1))
        await connection.commit()
        self._free.put_nowait(connection)
        return {"refresh": token}

    async def rotate(self, token: str) -> dict[str, Any]:
        """Spend a token and store the next."""
        after = token_urlsafe(32)
        connection = await self._free.get()
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.execute(SPEND, (_digest(token),))
            [family] = (await cursor.fetchall())[0]
            await cursor.execute(STORE, (_digest(after), family))
        self._free.put_nowait(connection)
        return {"refresh": after}


def make_table() -> None:
    """Make the table of tokens."""
    with psycopg.connect(database_url()) as connection:
        connection.execute(TABLE)


def flask() -> Any:
    """Answer a Flask application."""
    from flask import Flask, request

    make_table()
    app, kept = Flask("bench"), Kept()
    app.get(BARE)(lambda: {"hello": EMAIL})
    app.get(CREDENTIAL)(kept.make)
    app.post(REFRESH, endpoint="refresh")(lambda: kept.rotate(request.get_json()["refresh"]))
    return app


def django() -> Any:
    """Answer a Django project."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    make_table()
    kept = Kept()
    settings.configure(
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        ROOT_URLCONF=(
            path(BARE[1:], lambda request: JsonResponse({"hello": EMAIL})),
            path(CREDENTIAL[1:], lambda request: JsonResponse(kept.make())),
            path(REFRESH[1:], lambda request: JsonResponse(kept.rotate(json.loads(request.body)["refresh"]))),
        ),
    )
    return get_wsgi_application()


def fastapi() -> Any:
    """Answer a FastAPI application."""
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    make_table()
    pooled = Pooled()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> Any:
        await pooled.start()
        yield
        await pooled.stop()

    async def bare() -> dict[str, str]:
        return {"hello": EMAIL}

    async def rotate(body: dict[str, str]) -> dict[str, Any]:
        return await pooled.rotate(body["refresh"])

    app = FastAPI(lifespan=lifespan)
    app.get(BARE)(bare)
    app.get(CREDENTIAL)(pooled.make)
    app.post(REFRESH)(rotate)
    return app


def litestar() -> Any:
    """Answer a Litestar application."""
    from litestar import Litestar, get, post

    make_table()
    pooled = Pooled()

    @get(BARE)
    async def bare() -> dict[str, str]:
        return {"hello": EMAIL}

    @get(CREDENTIAL)
    async def credential() -> dict[str, Any]:
        return await pooled.make()

    @post(REFRESH, status_code=200)
    async def rotate(data: dict[str, str]) -> dict[str, Any]:
        return await pooled.rotate(data["refresh"])

    return Litestar([bare, credential, rotate], on_startup=[pooled.start], on_shutdown=[pooled.stop])


WSGI: dict[str, Callable[[], Any]] = {"flask": flask, "django": django}
ASGI: dict[str, Callable[[], Any]] = {"fastapi": fastapi, "litestar": litestar}
