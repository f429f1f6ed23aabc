"""The applications that the target serves: each adapter as its framework's users mount it, and a guarded route."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any, Literal

import msgspec
from sqlalchemy import make_url

from authcore import Account, Auth, Code, EmailCode, Sessions, features
from authcore.backends.argon2 import CHEAP, STANDARD
from authcore.backends.mail import FileMailer, SmtpMailer
from authcore.backends.sms import FileSms
from authcore.backends.system import OffsetClock, SystemClock
from authcore.feature import Feature
from authcore.ports import Clock

ENVIRONMENT = "AUTHCORE_TARGET"
SECRET = "the target's secret is known to all, as it is for tests alone"
"""Fixed, so that a restarted target, and several on one database, read what another has sealed."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a target is told, and hands to the processes that serve. `grace` is in seconds."""

    adapter: str
    database: str
    mailbox: str
    base_url: str
    clock: str | None = None
    limits: bool = True
    cheap: bool = False
    grace: float = 10.0
    transport: Literal["cookie", "bearer", "both"] = "both"
    smtp: str | None = None
    usernames: bool = False
    email_code: bool = False


def declaration(options: Options) -> dict[str, Any]:
    """Answer the keywords of Auth."""
    clock = OffsetClock(options.clock) if options.clock else SystemClock()
    return {
        "dev_mode": True,
        "secret": SECRET,
        "base_url": options.base_url,
        "database": options.database,
        "features": list(rooms(options)),
        "mailer": _mailer(options, clock),
        "sms": FileSms(options.mailbox, clock),
        "clock": clock,
        "limits": options.limits,
        "hashing": CHEAP if options.cheap else STANDARD,
    }


def _mailer(options: Options, clock: Clock) -> FileMailer | SmtpMailer:
    if options.smtp is None:
        return FileMailer(options.mailbox, clock)
    host, _, port = options.smtp.rpartition(":")
    return SmtpMailer(host, clock, port=int(port), security="none")


def rooms(options: Options) -> Iterator[Feature]:
    """Answer every room that exists, as it is by default but for what the options say."""
    for found in pkgutil.iter_modules(features.__path__):
        module = importlib.import_module(f"{features.__name__}.{found.name}")
        for value in vars(module).values():
            # A code after each password changes how everybody signs in: only who asks for it gets it.
            if _is_room(value, module) and (options.email_code or value is not EmailCode):
                yield _room(value, options)


def _is_room(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, Feature) and value.__module__ == module.__name__


def _room(kind: type[Feature], options: Options) -> Feature:
    told: dict[type[Feature], dict[str, Any]] = {
        Sessions: {"transport": options.transport, "grace": timedelta(seconds=options.grace)},
        Account: {"username": options.usernames, "phone": True},
        Code: {"phone": True},
        EmailCode: {"remember": True},
    }
    return kind(**told.get(kind, {}))


def application() -> Any:
    """Answer the WSGI or ASGI application that the environment describes."""
    options = msgspec.json.decode(os.environ[ENVIRONMENT], type=Options)
    return ADAPTERS[options.adapter](options)


def _adapter(name: str) -> Any:
    # By name: the suite stands below the adapters, and is installed without them.
    return importlib.import_module(f"authcore_{name}")


def _flask(options: Options) -> Any:
    from flask import Flask

    adapter = _adapter("flask")
    app = Flask("authcore_target")
    adapter.AuthCore(app, Auth(**declaration(options)))

    def hello() -> dict[str, Any]:
        return {"hello": adapter.current_user.email}

    app.get("/hello")(adapter.require()(hello))
    return app


def _fastapi(options: Options) -> Any:
    from fastapi import Depends, FastAPI

    adapter = _adapter("fastapi")
    signed_in = Depends(adapter.require())
    app = FastAPI(title="authcore target")
    adapter.AuthCore(app, Auth(**declaration(options)))

    @app.get("/hello")
    async def hello(user: Any = signed_in) -> dict[str, Any]:
        return {"hello": user.email}

    return app


def _litestar(options: Options) -> Any:
    from litestar import Litestar, get
    from litestar.openapi import OpenAPIConfig

    adapter = _adapter("litestar")

    @get("/hello", guards=[adapter.require()])
    async def hello(scope: dict[str, Any]) -> dict[str, Any]:
        return {"hello": scope["user"].email}

    return Litestar(
        route_handlers=[hello],
        plugins=[adapter.AuthCore(Auth(**declaration(options)))],
        openapi_config=OpenAPIConfig(title="authcore target", version="1"),
    )


def _django(options: Options) -> Any:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    given = declaration(options)
    del given["database"]  # authcore takes part in Django's own connection
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "[::1]"],
        USE_TZ=True,
        DATABASES={"default": _django_database(options.database)},
        INSTALLED_APPS=["authcore_django"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "authcore_django.middleware.AuthcoreMiddleware"],
        ROOT_URLCONF="authcore_conformance.target_urls",
        AUTHCORE=given,
    )
    return get_wsgi_application()


def _django_database(text: str) -> dict[str, Any]:
    url = make_url(text)
    if url.get_backend_name() == "sqlite":
        options = {"transaction_mode": "IMMEDIATE", "timeout": 10}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or "",
        "PORT": url.port or "",
        "OPTIONS": dict(url.query),
        "CONN_MAX_AGE": 60,
    }


ADAPTERS: dict[str, Callable[[Options], Any]] = {
    "flask": _flask,
    "fastapi": _fastapi,
    "django": _django,
    "litestar": _litestar,
}
