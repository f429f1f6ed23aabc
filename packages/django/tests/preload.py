"""A Django project that is loaded and used before its server forks: the parent signs up, then its children do.

Argument: a folder. Prints a line of JSON: what each process was answered, and whether its mail was sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.urls import include, path
from sqlalchemy import Engine, event

FOLDER = Path(sys.argv[1])
PERSON = {"password": "a passphrase of some length", "transport": "bearer"}
sending = threading.Event()
CHILDREN = ("child0", "child1")
SECONDS = 30  # after which a child that hangs is ended
urlpatterns: list[Any] = []  # filled once the settings stand


def main() -> None:
    """Use the project in the parent, in children of its fork, and in the parent again."""
    call_command("migrate", verbosity=0)
    parent = ask("sign-up", "parent")
    connections.close_all()  # what Django itself asks of whoever forks
    sending.wait(10)
    children = [fork(name) for name in CHILDREN]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    again = ask("sign-in", "parent")
    print(json.dumps({"parent": parent, "children": codes, "again": again, "mailed": wait_for("parent")}))
    connections.close_all()


def pause(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    """Hold the sender's first transaction open, so that the forks come in the middle of it."""
    if statement.startswith("UPDATE authcore_effect") and not sending.is_set():
        sending.set()
        time.sleep(1)


def fork(name: str) -> int:
    """Answer the id of a child that signs up, fails to sign in, and ends with 0 when the mails are sent."""
    child = os.fork()
    if child:
        return child
    signal.alarm(SECONDS)
    answers = [ask("sign-up", name), ask("sign-in", name)]
    mailed = [wait_for(child) for child in CHILDREN]  # which the sender of either may have taken on
    os._exit(0 if answers == [202, 401] and all(mailed) else 1)


def ask(what: str, name: str) -> int:
    """Answer the status of a request."""
    from django.test import Client

    person = {**PERSON, "email": f"{name}@example.com"}
    answer = Client().post(f"/auth/{what}", person, "application/json", headers={"origin": "http://testserver"})
    return int(answer.status_code)


def wait_for(name: str) -> bool:
    """Tell whether somebody's mail is sent within 10 seconds."""
    until = time.monotonic() + 10
    while not (FOLDER / f"{name}@example.com").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return (FOLDER / f"{name}@example.com").exists()


def keep(mail: Any) -> None:
    """Send a mail to a file."""
    (FOLDER / mail.to).touch()


if __name__ == "__main__":
    from authcore.backends.argon2 import CHEAP

    settings.configure(
        SECRET_KEY="for a test alone",
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["authcore_django"],
        MIDDLEWARE=["authcore_django.middleware.AuthcoreMiddleware"],
        ROOT_URLCONF="__main__",
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(FOLDER / "app.db"),
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            }
        },
        AUTHCORE={
            "dev_mode": True,
            "secret": "0123456789abcdefghijklmnopqrstuvwxyz",
            "base_url": "http://testserver",
            "features": ["authcore.Password"],
            "hashing": CHEAP,
            "mailer": keep,
        },
    )
    django.setup()
    urlpatterns.append(path("auth/", include("authcore_django.urls")))
    event.listen(Engine, "after_cursor_execute", pause)
    main()
