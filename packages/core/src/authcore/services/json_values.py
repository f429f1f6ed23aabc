"""JSON values that an application's own code gives to be stored."""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from authcore.decode import is_storable, parse_json
from authcore.errors import InvalidJson, field_error

_encoder = msgspec.json.Encoder(order="deterministic")


def plain(value: object, field: str) -> Any:
    """Answer a value or a struct as JSON that every database stores; raise InvalidFields, naming `field`."""
    try:
        if fault(value) is not None:  # the encoder writes null for what is no number
            raise InvalidJson()
        return parse_json(_encoder.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError, InvalidJson):
        raise field_error(field, "invalid", "This is no value that JSON can hold.") from None


def fault(value: object) -> str | None:
    """Answer why JSON, or a database, would not hold a value as it is; None if both would."""
    try:
        waiting = [msgspec.to_builtins(value, str_keys=True)]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str) and not is_storable(each):
                return "a text holds NUL or a lone surrogate"
            if isinstance(each, float) and not isfinite(each):
                return f"{each} is no number there"
            waiting += _inside(each)
    except (TypeError, ValueError, OverflowError) as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return None


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, list | tuple) else []


def size(value: object) -> int:
    """Answer how many bytes a JSON value is stored in."""
    return len(_encoder.encode(value))
