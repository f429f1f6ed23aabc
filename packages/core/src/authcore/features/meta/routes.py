"""`GET /openapi.json` and `GET /health`."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import literal, select
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import Unavailable
from authcore.openapi import document_of
from authcore.route import Answer, Empty, Route

_ONE = select(literal(1))


class Health(msgspec.Struct, frozen=True):
    """The service answers and reaches its database."""

    status: Literal["ok"] = "ok"


def _ask(tx: Connection) -> None:
    tx.execute(_ONE).one()


async def health(ctx: Context, _body: Empty) -> Answer:
    """Answer ok once the database has answered."""
    await ctx.db.read(_ask)
    return Answer(200, Health())


async def openapi(ctx: Context, _body: Empty) -> Answer:
    """Answer the document of the enabled rooms."""
    return Answer(200, document_of(ctx.app, ctx.runtime.features))


ROUTES = (
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
