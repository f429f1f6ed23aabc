"""The quickstart's last step, for any framework: sign up, read the mail, enter the code, ask for /hello."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Ask = Callable[[str, str, "bytes | None", dict[str, str]], tuple[int, Any]]


def walk(auth: Any, ask: Ask) -> None:
    """Go through the quickstart with `ask(method, path, body, headers)`, which answers status and body."""
    mails = []
    auth.mailer.send = mails.append
    json_type = {"content-type": "application/json"}
    assert ask("GET", "/hello", None, {})[0] == 401
    account = json.dumps({"email": "ada@example.com", "password": "three quiet herons wade"}).encode()
    status, answer = ask("POST", "/auth/sign-up", account, json_type)
    assert status == 202, (status, answer)
    _wait_for(mails, auth)
    code = json.dumps({"challenge_id": answer["challenge"]["id"], "code": mails[0].code}).encode()
    status, answer = ask("POST", "/auth/sign-up/verify", code, json_type)
    assert status == 200, (status, answer)
    bearer = {"authorization": f"Bearer {answer['access_token']}"}
    assert ask("GET", "/hello", None, bearer) == (200, {"hello": "ada@example.com"})
    auth.dispose()


def _wait_for(mails: list[Any], auth: Any) -> None:
    import time

    deadline = time.monotonic() + 10
    while not mails and time.monotonic() < deadline:
        time.sleep(0.05)
    assert mails, "no mail was sent"
