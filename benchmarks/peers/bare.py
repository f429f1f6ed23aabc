"""Each framework with one route and nothing else: what its guards are a part of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps import BARE, EMAIL


def flask() -> Any:
    """Answer a Flask application."""
    from flask import Flask

    app = Flask("bench")
    app.get(BARE)(lambda: {"hello": EMAIL})
    return app


def django() -> Any:
    """Answer a Django project."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    settings.configure(
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        ROOT_URLCONF=(path(BARE[1:], lambda request: JsonResponse({"hello": EMAIL})),),
    )
    return get_wsgi_application()


def fastapi() -> Any:
    """Answer a FastAPI application."""
    from fastapi import FastAPI

    async def bare() -> dict[str, str | None]:
        return {"hello": EMAIL}

    app = FastAPI()
    app.get(BARE)(bare)
    return app


def litestar() -> Any:
    """Answer a Litestar application."""
    from litestar import Litestar, Request, get

    @get(BARE)
    async def bare(request: Request[Any, Any, Any]) -> dict[str, str | None]:
        return {"hello": EMAIL}

    bare.fn.__globals__["Request"] = Request
    return Litestar([bare])


WSGI: dict[str, Callable[[], Any]] = {"flask": flask, "django": django}
ASGI: dict[str, Callable[[], Any]] = {"fastapi": fastapi, "litestar": litestar}
