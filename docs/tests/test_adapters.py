"""The pages of the adapters: their examples are applications that run, and guard what they say that they guard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages import ROOT, blocks

ADAPTERS = ROOT / "docs" / "adapters"

FLASK = """
client = app.test_client()
assert client.get("/account").status_code == 401
assert client.get("/auth/health").get_json() == {"status": "ok"}
"""
FASTAPI = """
from starlette.testclient import TestClient
with TestClient(app) as client:
    assert [client.get(path).status_code for path in ("/me", "/greeting")] == [401, 200]
    assert client.post("/danger").status_code == 401
    assert {"/me", "/auth/sign-in"} <= client.get("/openapi.json").json()["paths"].keys()
"""
LITESTAR = """
import queue
from litestar.exceptions import WebSocketDisconnect
from litestar.testing import TestClient
with TestClient(app, base_url="http://app.localhost") as client:
    assert [client.get(path).status_code for path in ("/me", "/account", "/greeting")] == [401, 401, 200]
    assert client.post("/danger").status_code == 401
    assert {"/me", "/auth/sign-in"} <= client.get("/schema/openapi.json").json()["paths"].keys()
    try:
        client.websocket_connect("/live").__enter__()
    except WebSocketDisconnect as closed:
        assert closed.code == 1008
    else:
        raise AssertionError("a WebSocket was opened signed out")
    body = {"email": "ada@example.com", "password": "three quiet herons wade", "transport": "bearer"}
    mails = queue.Queue()
    auth.mailer.send = mails.put
    started = client.post("/auth/sign-up", json=body).json()
    proof = {"challenge_id": started["challenge"]["id"], "code": mails.get(timeout=10).code}
    token = client.post("/auth/sign-up/verify", json=proof).json()["access_token"]
    bearer = {"Authorization": "Bearer " + token}
    assert client.get("/me", headers=bearer).json()["email"] == "ada@example.com"
    assert client.get("/account", headers=bearer).json()["email"] == "ada@example.com"
    with client.websocket_connect("/live", headers=bearer) as socket:
        assert socket.receive_json() == {"hello": "ada@example.com"}
"""
DJANGO = """
import django
from django.conf import settings
settings.configure(**{name: value for name, value in globals().items() if name.isupper()}, ROOT_URLCONF="__main__",
                   ALLOWED_HOSTS=["testserver"], SECRET_KEY="only-for-this-test", USE_TZ=True)
django.setup()
%s
import queue
from django.core.management import call_command
from django.test import Client
from authcore_django import get_auth
from authcore_django.settings import use
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
client, mails = Client(), queue.Queue()
assert [client.get(path).status_code for path in ("/account", "/greeting", "/report")] == [401, 200, 401]
get_auth().mailer.send = mails.put
def post(path, body):
    headers = {"host": "testserver", "origin": "http://testserver"}
    return client.post(path, body, "application/json", headers=headers)
started = post("/auth/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"}).json()
proof = {"challenge_id": started["challenge"]["id"], "code": mails.get(timeout=10).code}
assert post("/auth/sign-up/verify", proof).status_code == 200
assert {"authcore_session", "authcore_refresh"} <= client.cookies.keys()
assert client.get("/account").json()["email"] == client.get("/greeting").json()["hello"] == "ada@example.com"
assert client.get("/report").json() == {"for": "ada@example.com"}
assert post("/leave", {}).json() == {"ended": 1}
assert client.get("/account").status_code == 401
use(None)
"""
ASKED = {"flask": FLASK, "fastapi": FASTAPI, "litestar": LITESTAR}


@pytest.mark.parametrize("adapter", ASKED)
def test_the_example_of_an_adapter_runs(adapter: str, run: Callable[[str], str]) -> None:
    """All blocks of a page together are one application, which refuses who is signed out."""
    (program,) = blocks((ADAPTERS / f"{adapter}.md").read_text(encoding="utf-8"))

    run(f"{program}\n{ASKED[adapter]}\nauth.dispose()")


def test_the_example_of_django_runs(run: Callable[[str], str]) -> None:
    """Settings and URLs together are a project without a finding, which guards its views and ends sessions."""
    settings, urls = blocks((ADAPTERS / "django.md").read_text(encoding="utf-8"))

    run(settings + DJANGO % urls)
