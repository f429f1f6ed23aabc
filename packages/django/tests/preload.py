"""A Django project that is loaded and used before its server forks: the parent signs in, then its children do.

Argument: a folder. Prints a line of JSON: the status of each sign-in, and how many mails the processes' senders sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.urls import include, path

FOLDER = Path(sys.argv[1])
PERSON = {"password": "a passphrase of some length", "transport": "bearer"}
SECONDS = 30  # after which a child that hangs is ended
urlpatterns: list[Any] = []  # filled once the settings stand


def main() -> None:
    """Use the project in the parent, in children of its fork, and in the parent again."""
    call_command("migrate", verbosity=0)
    parent = sign_up_and_in("parent")
    connections.close_all()  # what Django itself asks of whoever forks
    children = [fork(number) for number in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    again = sign_up_and_in("again")
    print(json.dumps({"parent": parent, "children": codes, "again": again, "mails": mails(4)}))
    connections.close_all()


def fork(number: int) -> int:
    """Answer the id of a child that signs in, and ends with its status less 200."""
    child = os.fork()
    if child:
        return child
    signal.alarm(SECONDS)
    status = sign_up_and_in(f"child{number}")
    mails(number + 2)
    os._exit(0 if status == 200 else 1)


def sign_up_and_in(name: str) -> int:
    """Answer the status of a sign-in, after a sign-up whose mail the process's sender sends."""
    from django.test import Client

    person = {**PERSON, "email": f"{name}@example.com"}
    for step in ("sign-up", "sign-in"):
        answer = Client().post(f"/auth/{step}", person, "application/json", headers={"origin": "http://testserver"})
    return int(answer.status_code)


def mails(number: int) -> int:
    """Wait until so many mails are there, at most 10 seconds; answer how many there are."""
    until = time.monotonic() + 10
    while len(sent()) < number and time.monotonic() < until:
        time.sleep(0.05)
    return len(sent())


def sent() -> list[Path]:
    """Answer the mails."""
    return list(FOLDER.glob("*.mail"))


def keep(mail: Any) -> None:
    """Send a mail to a file."""
    (FOLDER / f"{mail.to}.mail").touch()


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
            "features": [("authcore.Password", {"require_code": False})],
            "hashing": CHEAP,
            "mailer": keep,
        },
    )
    django.setup()
    urlpatterns.append(path("auth/", include("authcore_django.urls")))
    main()
