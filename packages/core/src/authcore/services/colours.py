"""Colours of mails: what is readable on a brand's colour, and what of the brand's colour is readable on a page.

Contrast and luminance as WCAG 2.2 defines them; 4.5 is its level AA for text (1.4.3).
"""

from __future__ import annotations

import re

ENOUGH = 4.5
_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")
_STEPS = 50


def is_colour(text: object) -> bool:
    """Tell whether a value is a colour such as "#1d4ed8"."""
    return isinstance(text, str) and _HEX.match(text) is not None


def luminance(colour: str) -> float:
    """Answer the relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = (_linear(part) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Answer the contrast of two colours, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def ink_on(colour: str) -> str:
    """Answer black or white, whichever is better read on the colour: one of them always has contrast enough."""
    return max("#ffffff", "#000000", key=lambda ink: contrast(ink, colour))


def readable(colour: str, page: str) -> str:
    """Answer the colour, moved away from the page's as little as it takes to be read there."""
    goal = ink_on(page)
    shades = (_mixed(colour, goal, step / _STEPS) for step in range(_STEPS + 1))
    return next(shade for shade in shades if contrast(shade, page) >= ENOUGH)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _linear(part: int) -> float:
    share = part / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _mixed(one: str, other: str, share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_parts(one), _parts(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
