"""The one decoder of bodies (rules R1, R2): what comes out is a struct that cannot be wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn, TypeVar
from weakref import WeakSet

import msgspec

from authcore.drive import ONE_AT_A_TIME
from authcore.errors import BodyTooLarge, InvalidBody, InvalidFields, InvalidJson, UnsupportedMediaType
from authcore.http import BODY_CAP, Request

T = TypeVar("T", bound=msgspec.Struct)
MAX_DEPTH = 32
MAX_NAMED = 50  # wrong fields in one answer, which would else be nine times as long as the body
MAX_DIGITS = 400  # a number longer than this is no number that a field holds
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
# Possessive, and the closing quote may lack: else a string without an end is scanned anew from each of its quotes.
_SCAN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_CONTENT_TYPE = re.compile(r'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?\Z', re.IGNORECASE)
_LENGTH = re.compile(r"length ([<>]=)")
_READY: WeakSet[type] = WeakSet()


def decode(request: Request, kind: type[T]) -> T:
    """Answer the body as a `kind`; raise one of the four body errors, naming every wrong field and no value."""
    if request.fault == "too_large" or len(request.body) > BODY_CAP:
        raise BodyTooLarge()
    if request.fault == "broken":
        raise InvalidBody(headers=(("Connection", "close"),))
    return to_struct(_parsed(request), kind)


def _parsed(request: Request) -> Any:
    content_type = request.headers.get("content-type")
    if not request.body and content_type is None:
        return {}
    if content_type is None or not _CONTENT_TYPE.match(content_type):
        raise UnsupportedMediaType()
    return parse_json(request.body)


def parse_json(raw: bytes) -> Any:
    """Answer the JSON value of UTF-8 bytes; raise InvalidJson for what parsers read differently."""
    if _depth(raw) > MAX_DEPTH:
        raise InvalidJson()
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_int=_integer,
            parse_float=_float,
        )
    except (ValueError, RecursionError):
        raise InvalidJson() from None
    if not all(is_storable(text) for text in _texts(value)):
        raise InvalidJson()
    return value


def to_struct(value: Any, kind: type[T]) -> T:
    """Answer the value as a `kind`; raise InvalidFields with every wrong field, at most 50."""
    try:
        return convert(value, kind)
    except msgspec.ValidationError:
        raise InvalidFields(details=list(islice(_wrong_fields(value, kind), MAX_NAMED))) from None


def convert(value: Any, kind: type[T]) -> T:
    """Answer the value as a `kind`; raise ValidationError. Threads may meet the kind for the first time together."""
    if kind not in _READY:
        _read_whole(kind)
    return msgspec.convert(value, kind)


def _read_whole(kind: type[msgspec.Struct]) -> None:
    # msgspec 0.22 shows what it knows of a type to other threads before it has read the whole of it: two first requests
    # at the same moment end the process (SIGSEGV).
    with ONE_AT_A_TIME:
        msgspec.json.Decoder(kind)
        _READY.add(kind)


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for match in _SCAN.finditer(raw):
        mark = match[0][:1]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("too long a number")
    return int(digits)


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("too large a number")
    return number


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)


def is_storable(text: str) -> bool:
    """Tell whether every database takes the text: it holds no NUL and no lone surrogate."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _wrong_fields(value: Any, kind: type[msgspec.Struct]) -> Iterator[dict[str, str]]:
    if not isinstance(value, dict):
        yield _wrong("", "wrong_type", "The body must be an object.")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, field in fields.items():
        if name not in value:
            if field.required:
                yield _wrong(name, "missing", "This field is required.")
        elif (code := _fault(value[name], field.type)) is not None:
            yield _wrong(name, code, _MESSAGES[code])
    for name in value:
        if name in fields:
            continue
        yield _wrong(name if _NAME.match(name) else "?", "unknown", "There is no such field.")


def _fault(value: Any, kind: Any) -> str | None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return _code(str(error))
    return None


def _code(message: str) -> str:
    if match := _LENGTH.search(message):
        return "too_short" if match[1] == ">=" else "too_long"
    if re.match(r"Expected `[^`]+`, got `", message):
        return "wrong_type"
    return "invalid"


_MESSAGES = {
    "wrong_type": "This field has the wrong type.",
    "too_short": "This field is too short.",
    "too_long": "This field is too long.",
    "invalid": "This field is not valid.",
}


def _wrong(field: str, code: str, message: str) -> dict[str, str]:
    return {"field": field, "code": code, "message": message}
