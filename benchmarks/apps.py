"""The applications that are measured: each has one route twice, with the framework's guard and without.

They are declared as in production (https, a secret, a mailer, limits on); only the mails go nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import make_url

from authcore import Auth, Password, Sessions

ORIGIN = "https://app.example"
SECRET = "a secret of the benchmarks, known to all"
EMAIL, PASSWORD = "user{}@app.example", "three quiet herons wade"
BARE, GUARDED = "/bare", "/guarded"
DATABASE, CONN_MAX_AGE, STRATEGY = "BENCH_DATABASE", "BENCH_CONN_MAX_AGE", "BENCH_STRATEGY"
"""Variables of the environment: the SQLite file or the database's URL, the seconds that Django keeps a connection (""
is for ever), and the name of a strategy."""

REDIS, PREFIX, DRIVE = "BENCH_REDIS", "BENCH_PREFIX", "BENCH_DRIVE"
"""Variables of the environment: the URL of a Redis, how the keys of a run begin there, and `Auth(async_drive=…)`."""


def _jwt() -> Sessions:
    from authcore.credentials import JwtCredentialStore

    return Sessions(bearer=JwtCredentialStore(secret=SECRET))


def _redis() -> Sessions:
    from authcore.credentials import RedisCredentialStore

    return Sessions(bearer=RedisCredentialStore(_redis_client(), os.environ[PREFIX]))


def _redis_client() -> Any:
    """Answer a client that waits as the drive does, and sends nothing twice."""
    import redis
    import redis.asyncio
    from redis.asyncio.retry import Retry as LoopRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if os.environ.get(DRIVE) == "asyncio":
        return redis.asyncio.Redis.from_url(os.environ[REDIS], retry=LoopRetry(NoBackoff(), 0))
    return redis.Redis.from_url(os.environ[REDIS], retry=Retry(NoBackoff(), 0))


STRATEGIES: dict[str, Callable[[], Sessions]] = {"opaque": Sessions, "jwt": _jwt, "redis": _redis}
"""How people stay signed in, by the name that the environment gives; opaque unless it does."""


def keywords() -> dict[str, Any]:
    """Answer what every framework's `Auth` is declared with."""
    strategy = STRATEGIES[os.environ.get(STRATEGY, "opaque")]
    drive = {"async_drive": os.environ[DRIVE]} if DRIVE in os.environ else {}
    return {
        "secret": SECRET,
        "base_url": ORIGIN,
        "mailer": lambda mail: None,
        "outbox": "external",
        "trusted_proxies": ["127.0.0.1"],  # the client is many people behind one proxy
        "limits": {"refresh.address": 1_000_000_000},  # counted as ever; what is measured goes on from one address
        "features": [Password(require_code=False), strategy()],
        **drive,
    }


def database_url() -> str:
    """Answer the URL of the database, without a driver."""
    given = os.environ[DATABASE]
    return given if "://" in given else f"sqlite:///{given}"


def django_database() -> dict[str, Any]:
    """Answer the database as a Django project declares it."""
    age = os.environ.get(CONN_MAX_AGE, "0")
    kept = {"CONN_MAX_AGE": int(age) if age else None}
    url = make_url(database_url())
    if url.get_backend_name() == "sqlite":
        options = {"transaction_mode": "IMMEDIATE", "timeout": 5}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database, "OPTIONS": options, **kept}
    place = {"NAME": url.database, "USER": url.username, "PASSWORD": url.password, "HOST": url.host, "PORT": url.port}
    return {"ENGINE": "django.db.backends.postgresql", **{name: given or "" for name, given in place.items()}, **kept}


def declare() -> Auth:
    """Answer an `Auth` over the database, with its tables."""
    auth = Auth(database=database_url(), **keywords())
    auth.create_tables()
    return auth


def flask() -> Any:
    """Answer a Flask application."""
    from flask import Flask

    from authcore_flask import AuthCore, current_user, require

    app = Flask("bench")
    AuthCore(app, declare())

    @app.get(BARE)
    def bare() -> dict[str, str | None]:
        return {"hello": EMAIL}

    @app.get(GUARDED)
    @require()
    def guarded() -> dict[str, str | None]:
        return {"hello": current_user.email}

    return app


def fastapi() -> Any:
    """Answer a FastAPI application."""
    from fastapi import FastAPI

    from authcore_fastapi import AuthCore, CurrentUser

    app = FastAPI()
    AuthCore(app, declare())

    async def bare() -> dict[str, str | None]:
        return {"hello": EMAIL}

    async def guarded(user: Any) -> dict[str, str | None]:
        return {"hello": user.email}

    # The annotation as it stands in a module where annotations are not postponed.
    guarded.__annotations__["user"] = CurrentUser
    app.get(BARE)(bare)
    app.get(GUARDED)(guarded)
    return app


def litestar() -> Any:
    """Answer a Litestar application."""
    from litestar import Litestar, Request, get

    from authcore_litestar import AuthCore, require

    @get(BARE)
    async def bare(request: Request[Any, Any, Any]) -> dict[str, str | None]:
        return {"hello": EMAIL}

    @get(GUARDED, guards=[require()])
    async def guarded(request: Request[Any, Any, Any]) -> dict[str, str | None]:
        return {"hello": request.user.email}

    bare.fn.__globals__["Request"] = Request
    return Litestar([bare, guarded], plugins=[AuthCore(declare())])


def django() -> Any:
    """Answer a Django project, whose own connection authcore shares."""
    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.db import connections

    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        DATABASES={"default": django_database()},
        INSTALLED_APPS=["authcore_django"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "authcore_django.middleware.AuthcoreMiddleware"],
        ROOT_URLCONF="django_urls",
        AUTHCORE=keywords(),
    )
    app = get_wsgi_application()
    call_command("migrate", verbosity=0)
    connections.close_all()
    return app


WSGI: dict[str, Callable[[], Any]] = {"flask": flask, "django": django}
ASGI: dict[str, Callable[[], Any]] = {"fastapi": fastapi, "litestar": litestar}
