"""Streams that end with the session of who asked for them."""

import time
from collections.abc import Iterator

from flask import Flask, Response
from flask.testing import FlaskClient

from authcore import Auth
from authcore_flask import current_session, until_ended

ORIGIN = {"Origin": "http://localhost"}
PASSWORD = "a passphrase of some length"


def test_a_stream_stops_with_its_session(app: Flask, auth: Auth, client: FlaskClient) -> None:
    """Events end within a second of the sign-out; signed out, the route answers 401."""
    seen: list[str] = []
    ended: list[float] = []

    def numbers() -> Iterator[str]:
        for number in range(1_000):
            yield f"data: {number}\n\n"
            time.sleep(0.01)

    @app.get("/events")
    def events() -> Response:
        stream = until_ended(numbers())
        seen.append(current_session.id)
        return Response(stream, mimetype="text/event-stream")

    body = {"email": "ada@example.com", "password": PASSWORD}
    assert client.post("/auth/sign-up", json=body, headers=ORIGIN).status_code == 201

    items = []
    for item in client.get("/events", buffered=False).iter_encoded():
        items.append(item)
        if len(items) == 3:
            auth.blocking.sessions.revoke_session(seen[0])
            ended.append(time.monotonic())

    assert 3 <= len(items) < 300
    assert time.monotonic() - ended[0] < 1
    assert len(auth.backends.watches) == 0
    assert app.test_client().get("/events").status_code == 401
