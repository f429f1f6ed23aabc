"""The quickstart's last step, for any framework: sign up by a mailed code, ask for /hello, sign in by a mailed link."""

from __future__ import annotations

import json
import time
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
    mail = _mail(mails, "sign_up")
    code = json.dumps({"challenge_id": answer["challenge"]["id"], "code": mail.code}).encode()
    status, answer = ask("POST", "/auth/sign-up/verify", code, json_type)
    assert status == 200, (status, answer)
    bearer = {"authorization": f"Bearer {answer['access_token']}"}
    assert ask("GET", "/hello", None, bearer) == (200, {"hello": "ada@example.com"})
    address = json.dumps({"email": "ada@example.com"}).encode()
    assert ask("POST", "/auth/password/reset", address, json_type)[0] == 202
    assert ask("POST", "/auth/magic-link", address, json_type)[0] == 202
    link = json.dumps({"token": _mail(mails, "magic_link").token}).encode()
    assert ask("POST", "/auth/magic-link/consume", link, json_type)[0] == 200
    auth.dispose()


def _mail(mails: list[Any], kind: str) -> Any:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for mail in mails:
            if mail.kind == kind:
                return mail
        time.sleep(0.05)
    raise AssertionError(f"no mail of the kind {kind} was sent")
