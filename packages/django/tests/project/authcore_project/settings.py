"""A project on two databases; tests override what they are about."""

import os
import tempfile
from typing import Any

from sqlalchemy import make_url

from authcore.backends.argon2 import CHEAP
from authcore.backends.mail import MemoryMailer

ORIGIN = "http://testserver"
FOLDER = tempfile.mkdtemp(prefix="authcore-django-")
SERVER = make_url(os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"))

SECRET_KEY = "for tests alone"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["authcore_django", "authcore_project"]
ROOT_URLCONF = "authcore_project.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "authcore_django.middleware.AuthcoreMiddleware"]
USE_TZ = True
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{FOLDER}/default.db",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    },
    "postgres": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": f"authcore_django_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}",
        "HOST": SERVER.host,
        "PORT": str(SERVER.port or ""),
        "USER": SERVER.username,
        "PASSWORD": SERVER.password or "",
    },
    "bare": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FOLDER}/bare.db"},  # not migrated, and no OPTIONS
    "away": {"ENGINE": "django.db.backends.postgresql", "NAME": "away", "HOST": "127.0.0.1", "PORT": "1"},
    "other": {"ENGINE": "django.db.backends.dummy"},
}
AUTHCORE: dict[str, Any] = {
    "dev_mode": True,
    "secret": "0123456789abcdefghijklmnopqrstuvwxyz",
    "base_url": ORIGIN,
    "features": [("authcore.Password", {"require_code": False})],
    "hashing": CHEAP,
    "mailer": MemoryMailer(),
    "outbox": "external",
}
