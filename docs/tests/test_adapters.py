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
ASKED = {"flask": FLASK, "fastapi": FASTAPI, "litestar": LITESTAR}


@pytest.mark.parametrize("adapter", ASKED)
def test_the_example_of_an_adapter_runs(adapter: str, run: Callable[[str], str]) -> None:
    """All blocks of a page together are one application, which refuses who is signed out."""
    (program,) = blocks((ADAPTERS / f"{adapter}.md").read_text(encoding="utf-8"))

    run(f"{program}\n{ASKED[adapter]}\nauth.dispose()")
