"""What an application's own code gives to be stored is JSON that comes back as it was, or is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from authcore.errors import InvalidFields
from authcore.services.json_values import fault, plain


class Claims(msgspec.Struct):
    """A struct of an application's own."""

    share: float


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "nan is no number there"),
        (Claims(share=float("inf")), "inf is no number there"),
        ([{"x": (float("-inf"),)}], "-inf is no number there"),
        ({"x": "\0"}, "a text holds NUL or a lone surrogate"),
        ({"\ud800": 1}, "a text holds NUL or a lone surrogate"),
        ({(1, 2): 1}, "Only dicts with"),
        (object(), "object"),
    ],
    ids=["nan", "inf-in-a-struct", "minus-inf-inside", "nul", "surrogate-key", "tuple-key", "object"],
)
def test_what_would_come_back_changed_is_refused(value: Any, says: str) -> None:
    """JSON has no such number, and no database takes such a text: null in its place would be a silent loss."""
    assert says in (fault(value) or "")
    with pytest.raises(InvalidFields):
        plain(value, "value")


@pytest.mark.parametrize("value", [None, 0, -1.5, "é\n", [], {"a": [{"b": None}]}, True], ids=ascii)
def test_what_json_holds_comes_back(value: Any) -> None:
    """Everything else is answered as it is read again."""
    assert fault(value) is None
    assert plain(value, "value") == value
    assert plain(Claims(share=0.5), "value") == {"share": 0.5}
