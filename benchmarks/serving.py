"""Start a server with one worker, send it load from a second process, stop it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import apps

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
PATIENCE = 60  # seconds


@contextmanager
def served(named: str, database: Path | str, *, threads: int = 1, **variables: str) -> Iterator[int]:
    """Serve one application, named as `server.py` reads it, over a SQLite file or a database's URL; answer its port."""
    environment = {**os.environ, apps.DATABASE: str(database), **variables}
    with socket.create_server((LOOPBACK, 0), backlog=512) as listening:
        port: int = listening.getsockname()[1]
        descriptor = listening.fileno()
        numbers = map(str, (descriptor, threads, os.getpid()))
        command = [sys.executable, str(HERE / "server.py"), named, *numbers]
        process = subprocess.Popen(command, pass_fds=[descriptor], env=environment)
    try:
        _await_first_answer(port)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_first_answer(port: int) -> None:
    # The socket listens since before the server began: it takes the connection, and answers once it serves.
    with urlopen(f"http://{LOOPBACK}:{port}{apps.BARE}", timeout=PATIENCE) as answer:
        answer.read()


def sign_up(port: int, number: int) -> str:
    """Sign a user up, as a browser does; answer the session's cookie."""
    with urlopen(_account(port, number, transport="cookie"), timeout=PATIENCE) as answer:
        return cookies(answer)


def signed_up(port: int, number: int) -> dict[str, Any]:
    """Sign a user up, as a program does; answer what it is told, the tokens among it."""
    with urlopen(_account(port, number, transport="bearer"), timeout=PATIENCE) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def _account(port: int, number: int, *, transport: str) -> Request:
    account = {"email": apps.EMAIL.format(number), "password": apps.PASSWORD, "transport": transport}
    headers = {"Content-Type": "application/json", "Origin": apps.ORIGIN, "X-Forwarded-For": address(number)}
    return Request(f"http://{LOOPBACK}:{port}/auth/sign-up", json.dumps(account).encode(), headers)


def cookies(answer: Any) -> str:
    """Answer the cookies that an answer sets, as the client sends them back."""
    return "; ".join(line.split(";")[0] for line in answer.headers.get_all("Set-Cookie", []))


def address(number: int) -> str:
    """Answer the address of one of many clients, of whom none reaches a limit."""
    return f"198.51.{100 + number // 250}.{number % 250 + 1}"


def request(path: str, *, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> str:
    """Answer a request as a program sends it: few headers, kept alive."""
    content = json.dumps(body) if body is not None else ""
    lines = {"Host": LOOPBACK, "User-Agent": "bench", "Accept": "application/json", **(headers or {})}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{head}\r\n{content}"


@contextmanager
def loading(port: int, requests: Sequence[str], **plan: Any) -> Iterator[subprocess.Popen[str]]:
    """Send load from a second process meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(HERE / "load.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"port": port, "requests": list(requests), **plan}))
    process.stdin.close()
    process.stdin = None
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def load(port: int, requests: Sequence[str], **plan: Any) -> dict[str, float]:
    """Send load from a second process; answer its `rate` a second, `p50` and `p99` in milliseconds."""
    with loading(port, requests, **plan) as process:
        return heard(process)


def heard(process: subprocess.Popen[str]) -> dict[str, float]:
    """Answer what a client has seen, once it is done."""
    told, _ = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise RuntimeError("the client failed: what it says stands above")
    seen: dict[str, float] = json.loads(told)
    return seen
