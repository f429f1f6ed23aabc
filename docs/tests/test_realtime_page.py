"""The page of realtime: its examples run, and its settings, codes and fields are the code's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest
from pages import ROOT, blocks, section

from authcore import realtime
from authcore.realtime import Subject, opened

PAGE = (ROOT / "docs" / "realtime.md").read_text(encoding="utf-8")


def test_the_examples_run(run: Callable[[str], str]) -> None:
    """The blocks together are one application, whose sockets end with their session."""
    pytest.importorskip("fastapi", reason="the examples are FastAPI's")
    use = """
import asyncio

from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

signed = auth.blocking.password.sign_up(email="ada@example.com", password="three quiet herons wade", transport="bearer")
client, offer = TestClient(app), ["authcore.bearer", signed.access_token]
headers = {"Authorization": f"Bearer {signed.access_token}"}
assert client.get("/events", headers=headers).text.count("data: ") == 3
assert client.get("/poll", headers=headers).json() == {"for": f"default:{signed.user.id}"}
try:
    with client.websocket_connect("/live", subprotocols=offer) as socket:
        assert socket.receive_json() == {"hello": "ada@example.com", "room": f"default:{signed.user.id}"}
        plainly = TestClient(plain)
        with plainly.websocket_connect("/", subprotocols=offer) as other:
            other.send_text("hello")
            assert other.receive_text() == "ada@example.com: hello"
        auth.blocking.sessions.revoke_session(signed.session.id)
        socket.receive_text()
except WebSocketDisconnect as gone:
    print(gone.code, gone.reason)
client.close()
plainly.close()
auth.dispose()
"""

    assert run("\n".join(blocks(PAGE)) + use) == "4401 session_ended\n"


def test_the_page_tells_every_setting_and_field() -> None:
    """The defaults are those of the code, both ways; so are the fields of a Subject."""
    settings = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", section(PAGE, "## A WebSocket"), re.MULTILINE))
    known = {
        name: each.default
        for name, each in inspect.signature(opened).parameters.items()
        if name in ("first_message", "recheck", "subprotocols")
    }
    fields = set(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "|", section(PAGE, "## Who it is"), flags=re.MULTILINE)))

    assert {name: f"{value:g}" if value else "()" for name, value in known.items()} == settings
    assert set(Subject.__struct_fields__) | {"key"} <= fields


def test_the_page_tells_every_code() -> None:
    """The codes that close a socket are those in the code."""
    told = set(map(int, re.findall(r"^\| (\d{4}) \|", section(PAGE, "## What closes a socket"), re.MULTILINE)))
    written = set(map(int, re.findall(r"\b(44\d\d|1013)\b", inspect.getsource(realtime))))

    assert told == written
