"""A small project in Django: authcore under /auth, a guarded route, and the demo's pages.

By itself, in `examples/`: `python -m django migrate --settings django_app.settings`, and `runserver` likewise.
"""

import os

from demo.mails import Mailbox
from demo.rooms import rooms

from authcore import Brand

DEBUG = True  # a demo on loopback
SECRET_KEY = "for development alone: authcore keeps a secret of its own"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "django_app.urls"
INSTALLED_APPS = ["authcore_django"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "authcore_django.middleware.AuthcoreMiddleware"]
USE_TZ = True

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_URL", "sqlite:///django.db").removeprefix("sqlite:///"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 10},
    }
}

MAILBOX = Mailbox(os.environ.get("MAILBOX", "mails.jsonl"))
AUTHCORE = {
    "dev_mode": True,
    "base_url": os.environ.get("BASE_URL"),
    "mailer": MAILBOX,
    "sms": MAILBOX.texts,
    "product": "authcore demo",
    "brand": Brand(color="#0f766e"),
    "features": rooms(),
}
