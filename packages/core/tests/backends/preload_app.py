"""An application that is loaded and used before the server forks, as by `gunicorn --preload`, then by each child.

Arguments: the database's URL, and a file that gets the address of each mail. Prints a line of JSON: what the parent and
each child saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from authcore import Auth, Password, Request
from authcore.backends.argon2 import CHEAP

CHILDREN = 2
SECONDS = 30  # after which a child that hangs is ended
LETTERS = Path(sys.argv[2])


def send(mail: Any) -> None:
    """Note whom the mail goes to, in one write, whichever process sends it."""
    with LETTERS.open("ab", buffering=0) as file:
        file.write(f"{mail.to}\n".encode())


auth = Auth(
    dev_mode=True,
    secret="a secret of these tests, long enough",
    database=sys.argv[1],
    features=[Password()],
    hashing=CHEAP,
    mailer=send,
)


def main() -> None:
    """Serve in the parent, in children of its fork, and in the parent again."""
    LETTERS.touch()
    auth.create_tables()
    parent = serve("parent")
    children = [fork(f"child-{number}") for number in range(CHILDREN)]
    seen = [json.loads(os.read(pipe, 10_000) or b"null") for pipe, _ in children]
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for _, process in children]
    again = serve("again")
    auth.dispose()
    print(json.dumps({"parent": parent, "children": seen, "codes": codes, "again": again}))


def fork(name: str) -> tuple[int, int]:
    """Answer a pipe with what the child saw, and the child's id."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        before = threading.active_count()
        os.write(theirs, json.dumps({**serve(name), "threads": before}).encode())
        auth.dispose()  # its sender may hold another's mail, which would wait for the lease to end
        os._exit(0)
    os.close(theirs)
    return ours, process


def serve(name: str) -> dict[str, Any]:
    """Sign somebody up, blocking and beside a loop, and wait for the mails."""
    names = [f"{name}@blocking.example", f"{name}@loop.example"]
    answers = [auth.blocking_core().dispatch(sign_up(names[0])), asyncio.run(beside_a_loop(names[1]))]
    until = time.monotonic() + SECONDS / 2
    while not set(names) <= set(LETTERS.read_text().split()) and time.monotonic() < until:
        time.sleep(0.01)
    threads = [thread.name for thread in threading.enumerate()]
    return {"statuses": [answer.status for answer in answers], "sender": "authcore-outbox" in threads}


async def beside_a_loop(email: str) -> Any:
    """Serve a request as an async framework does."""
    return await auth.async_core().dispatch(sign_up(email))


def sign_up(email: str) -> Request:
    """Answer the request of a sign-up."""
    body = json.dumps({"email": email, "password": "three quiet herons wade"}).encode()
    return Request("POST", "/sign-up", body, {"content-type": "application/json"}, "203.0.113.7")


if __name__ == "__main__":
    main()
