"""Django's own sessions, Simple JWT on the REST framework, and allauth's headless tokens: one project for all."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from apps import EMAIL, PASSWORD, PREFIX, REDIS, django_database

from peers.shared import LONG, WHO

MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
OWN = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]


def project(*apps: str, middleware: tuple[str, ...] = (), wrapped: bool = True, **options: Any) -> Any:
    """Answer a project with further applications; without `wrapped` there are no sessions in its middleware."""
    from datetime import timedelta

    from django.conf import settings
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.db import connections

    settings.configure(
        SECRET_KEY=LONG,
        ALLOWED_HOSTS=["127.0.0.1"],
        USE_TZ=True,
        DATABASES={"default": django_database()},
        INSTALLED_APPS=[*OWN, *apps],
        MIDDLEWARE=[*(MIDDLEWARE if wrapped else MIDDLEWARE[:1]), *middleware],
        ROOT_URLCONF="peers.django_urls",
        SESSION_COOKIE_SECURE=True,
        CACHES={"default": _cache()},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"],
        SIMPLE_JWT={
            "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
            "ROTATE_REFRESH_TOKENS": True,
            "BLACKLIST_AFTER_ROTATION": True,
        },
        HEADLESS_ONLY=True,
        HEADLESS_CLIENTS=("app",),
        HEADLESS_JWT_ALGORITHM="HS256",
        HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN=3600,
        HEADLESS_JWT_ROTATE_REFRESH_TOKEN=True,
        **options,
    )
    app = get_wsgi_application()
    call_command("migrate", verbosity=0)
    _make_user()
    connections.close_all()
    return app


def _cache() -> dict[str, Any]:
    if REDIS not in os.environ:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ[REDIS],
        "KEY_PREFIX": os.environ[PREFIX],
    }


def _make_user() -> None:
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_user(EMAIL.format("name"), WHO, PASSWORD)


REST = ("rest_framework", "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist")
ALLAUTH = ("rest_framework", "allauth", "allauth.account", "allauth.headless")
ACCOUNTS = ("allauth.account.middleware.AccountMiddleware",)
CACHED = {"SESSION_ENGINE": "django.contrib.sessions.backends.cached_db"}
TOKENS = {"HEADLESS_TOKEN_STRATEGY": "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"}

WSGI: dict[str, Callable[[], Any]] = {
    "session": partial(project, BENCH="session"),
    "session_cached": partial(project, BENCH="session", **CACHED),
    "simplejwt": partial(project, *REST, wrapped=False, BENCH="simplejwt"),
    "simplejwt_user": partial(project, *REST, wrapped=False, BENCH="simplejwt_user"),
    "allauth": partial(project, *ALLAUTH, middleware=ACCOUNTS, BENCH="allauth"),
    "allauth_cached": partial(project, *ALLAUTH, middleware=ACCOUNTS, BENCH="allauth", **CACHED),
    "allauth_jwt": partial(project, *ALLAUTH, middleware=ACCOUNTS, BENCH="allauth_jwt", **TOKENS),
}
