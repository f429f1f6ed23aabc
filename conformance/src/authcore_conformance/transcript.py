"""Transcripts: what went both ways in a scenario; clock and randomness are fixed, so it is the same bytes anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from authcore_conformance.driver import HttpRequest, HttpResponse

FOLDER = Path(__file__).parent / "golden"
MATTER = (
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "set-cookie",
    "www-authenticate",
    "x-content-type-options",
)
"""The headers that an answer is held to. All others belong to servers and frameworks."""

Exchange = tuple[HttpRequest, HttpResponse]


def transcript(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """Answer the exchanges as JSON values; header names in lower case, sorted, cookies in their order."""
    return [{"request": _request(request), "answer": _answer(answer)} for request, answer in exchanges]


def _request(request: HttpRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "target": request.target,
        "headers": [f"{name}: {value}" for name, value in request.headers],
        "body": request.body.decode("latin-1"),  # requests may be no UTF-8
        "peer": request.peer,
    }


def _answer(answer: HttpResponse) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in answer.headers if name.lower() in MATTER]
    return {
        "status": answer.status,
        "headers": [f"{name}: {value}" for name, value in sorted(headers, key=lambda pair: pair[0])],
        "body": answer.body.decode("utf-8", "backslashreplace"),
    }


def golden(name: str) -> list[dict[str, Any]]:
    """Answer the golden transcript of a scenario."""
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def write_golden(name: str, steps: list[dict[str, Any]]) -> None:
    """Write the golden transcript of a scenario."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(steps, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
