"""`GET /openapi.json`, `GET /.well-known/jwks.json` and `GET /health`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from sqlalchemy import literal, select
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import Unavailable
from authcore.openapi import document_of
from authcore.route import Answer, Empty, Route

KEYS_LAST = 30  # seconds; a key is published a minute before it signs
_ONE = select(literal(1))


class Health(msgspec.Struct, frozen=True):
    """The service answers and reaches its database."""

    status: Literal["ok"] = "ok"


def _ask(tx: Connection) -> None:
    tx.execute(_ONE).one()


class KeySet(msgspec.Struct, frozen=True):
    """A JWK Set (RFC 7517 5)."""

    keys: list[dict[str, Any]]


async def health(ctx: Context, _body: Empty) -> Answer:
    """Answer ok once the database has answered."""
    await ctx.db.read(_ask)
    return Answer(200, Health())


async def openapi(ctx: Context, _body: Empty) -> Answer:
    """Answer the document of the enabled rooms."""
    return Answer(200, document_of(ctx.app, ctx.runtime.features))


async def jwks(ctx: Context, _body: Empty) -> Answer:
    """Answer the keys by which others verify access tokens (RFC 7517 5); secrets are never among them."""
    stores = [stored.store for stored in ctx.runtime.stored.values()]
    sets = [await store.jwks() for store in stores if hasattr(store, "jwks")]
    known = {key["kid"]: key for found in sets for key in found["keys"]}
    return Answer(200, KeySet(list(known.values())), cache=KEYS_LAST)


ROUTES = (
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        handler=jwks,
        summary="Read the keys that verify access tokens",
        answers={200: KeySet},
        raises=(Unavailable,),
        tag="meta",
    ),
    Route(
        method="GET",
        path="/health",
        handler=health,
        summary="Ask whether the service works",
        answers={200: Health},
        raises=(Unavailable,),
        tag="meta",
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        summary="Read this document",
        answers={200: None},
        tag="meta",
    ),
)
