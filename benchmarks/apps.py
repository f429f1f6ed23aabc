"""The applications that are measured: each has one route twice, with the framework's guard and without.

They are declared as in production (https, a secret, a mailer, limits on); only the mails go nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from authcore import Auth, Password

ORIGIN = "https://app.example"
SECRET = "a secret of the benchmarks, known to all"
EMAIL, PASSWORD = "user{}@app.example", "three quiet herons wade"
BARE, GUARDED = "/bare", "/guarded"
DATABASE, CONN_MAX_AGE = "BENCH_DATABASE", "BENCH_CONN_MAX_AGE"
"""Variables of the environment: the SQLite file, and the seconds that Django keeps a connection ("" is for ever)."""


def keywords() -> dict[str, Any]:
    """Answer what every framework's `Auth` is declared with."""
    return {
        "secret": SECRET,
        "base_url": ORIGIN,
        "mailer": lambda mail: None,
        "outbox": "external",
        "trusted_proxies": ["127.0.0.1"],  # the client is many people behind one proxy
        "features": [Password(require_code=False)],
    }


def declare() -> Auth:
    """Answer an `Auth` over the SQLite file, with its tables."""
    auth = Auth(database=f"sqlite:///{os.environ[DATABASE]}", **keywords())
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

    age = os.environ.get(CONN_MAX_AGE, "0")
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ[DATABASE],
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5},
                "CONN_MAX_AGE": int(age) if age else None,
            }
        },
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
