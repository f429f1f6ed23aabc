"""How well a password resists guessing, from 0 to 4, for a bar beside the field where one is chosen.

It judges nothing: the policy does. With `authcore[strength]` zxcvbn tells, else a small estimate of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from math import log10
from typing import Any, Literal, cast

from authcore.services.password_policy import common_passwords

Score = Literal[0, 1, 2, 3, 4]
MOST_JUDGED = 72  # characters; what comes after them makes nothing weaker, and only costs time
_STEPS = (3, 6, 8, 10)  # powers of ten of guesses, as zxcvbn divides them
_BITS, _BITS_OF_TURN = 1.5, 2.0  # of a character that goes on like text, and more where the kind of character turns


def estimate(password: str, known: Sequence[str] = ()) -> Score:
    """Answer 0 to 4; what is `known` of the account counts as guessed at once."""
    # A lone surrogate is no text that every judge reads.
    judged = password[:MOST_JUDGED].encode("utf-8", "replace").decode()
    judge = _zxcvbn()
    return judge(judged, list(known)) if judge else own_estimate(judged, known)


def own_estimate(password: str, known: Sequence[str] = ()) -> Score:
    """Answer the estimate of those who do not have zxcvbn: text is cheap, turns of kind cost, runs are free."""
    folded = password.casefold()
    bare = folded.strip("0123456789!?.,-_ ")
    half = bare[: len(bare) // 2]
    guesses = {folded, bare, half if bare == half * 2 else bare}
    if guesses & common_passwords() or guesses & {word.casefold() for word in known}:
        return 0
    bits = 0.0
    for before, char in pairwise(password):
        if abs(ord(char) - ord(before)) > 1:
            bits += _BITS + _BITS_OF_TURN * (_kind(char) != _kind(before))
    power = bits * log10(2)
    return cast(Score, sum(power >= step for step in _STEPS))


def _kind(char: str) -> int:
    return 0 if char.islower() else 1 if char.isupper() else 2 if char.isdigit() else 3


@lru_cache(maxsize=1)
def _zxcvbn() -> Callable[[str, list[str]], Score] | None:
    try:
        module: Any = import_module("zxcvbn_rs_py")
    except ImportError:
        return None
    return lambda password, known: cast(Score, int(module.zxcvbn(password, known).score))
