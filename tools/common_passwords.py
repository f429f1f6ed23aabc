"""Make the list of common passwords that sign-up refuses.

A usual list of leaked passwords ends where a policy of fifteen characters begins, so this one is made the way people
lengthen a word: they double it, count behind it, walk over the keyboard, repeat a pattern, add a year.

    python tools/common_passwords.py            write the list
    python tools/common_passwords.py --check    exit 1 if the list differs from what would be written
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

WORDS = Path(__file__).parent / "words.txt"
TARGET = Path(__file__).parent.parent / "packages/core/src/authcore/services/common_passwords.txt"

SHORTEST = 8  # code points: what is shorter falls to the policy's lower bound
LONGEST = 48
ASKED = 15  # code points, the default of Password(min_length=…): people fill up to it

DIGITS = "1234567890"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
YEARS = range(1985, 2031)
TAILS = ("1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", DIGITS)
FEW_TAILS = ("1", "123", "1234", "123456", "12345678", "123456789")
ENDINGS = ("!", "!!", "123!", "1!", "@123", "#1", "007", "111", "321", "123123", "112233")
LEET = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7"}

ROWS = (
    (DIGITS, "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    (DIGITS, "azertyuiop", "qsdfghjklm", "wxcvbn"),
    (DIGITS, "qwertzuiop", "asdfghjkl", "yxcvbnm"),
)


def read_words(path: Path) -> dict[str, list[str]]:
    """Answer the sections of the word list; what stands on a line of [phrases] is one entry."""
    sections: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            sections.setdefault(name, []).extend([line] if name == "phrases" else line.split())
    return sections


def of_word(word: str) -> Iterator[str]:
    """Yield a word, doubled, tripled, counted behind and filled up to the length that is asked for."""
    yield from (word * times for times in range(1, 4))
    yield from (word + tail for tail in FEW_TAILS)
    yield from (filled(word, ASKED, fill) for fill in (DIGITS, "1"))


def of_usual(word: str) -> Iterator[str]:
    """Yield what is made of the most usual words alone."""
    yield from (word * times for times in range(4, 6))
    yield from (word + ending for ending in (*TAILS, *ENDINGS))
    yield from (tail + word for tail in TAILS)
    yield from (f"{word}{year}" for year in YEARS)
    yield from ((word + tail) * times for tail in TAILS[:6] for times in (2, 3))
    yield from (word * 2 + tail for tail in TAILS)
    yield from (f"{word}{tail}{word}" for tail in TAILS[:6])
    yield from (filled(word, size, fill) for size in (ASKED, ASKED + 1, 20) for fill in (DIGITS, "0", "1", "!"))
    yield from (word + word[-1] * count for count in range(1, 12))
    yield from (word[::-1] + tail for tail in ("", "123", "123456"))
    yield from (f"{word}{year}!" for year in YEARS[-11:])
    yield from (f"{word}{word}{year}" for year in YEARS[-11:])
    for spelled in leet(word):
        yield from (spelled, spelled * 2, filled(spelled, ASKED, DIGITS))
        yield from (spelled + tail for tail in ("1", "123", "1234", "123456", "!"))


def filled(word: str, size: int, fill: str) -> str:
    """Answer the word with as much of a fill behind it as makes `size` code points, or the bare word if it has them."""
    return (word + fill * size)[: max(size, len(word))]


def leet(word: str) -> set[str]:
    """Answer the usual spellings with digits and signs: one kind of letter replaced, the vowels, or all."""
    found = set()
    for letters in (*LEET, "aeio", "aeiost"):
        for first in (True, False):
            swaps = {ord(letter): LEET[letter][0 if first else -1] for letter in letters}
            found.add(word.translate(swaps))
    return found - {word}


def of_phrase(phrase: str) -> Iterator[str]:
    """Yield a phrase joined, spaced and with hyphens, and joined with the usual tails."""
    joined = phrase.replace(" ", "")
    yield from (joined, phrase, phrase.replace(" ", "-"))
    yield from (joined + tail for tail in ("1", "123", "!"))
    yield filled(joined, ASKED, DIGITS)


def pairs(words: list[str]) -> Iterator[str]:
    """Yield every two of the words joined."""
    yield from (one + two for one in words for two in words)


def walks() -> Iterator[str]:
    """Yield ways over three keyboards: along rows and columns, in both directions, once and again."""
    for rows in ROWS:
        columns = ["".join(keys) for keys in zip(*rows, strict=False)]
        for line in ("".join(rows), "".join(rows[1:]), "".join(columns), "".join(key[1:] for key in columns)):
            for way in (line, line[::-1]):
                yield way
                yield from windows(way, SHORTEST, 19)
        yield from turns(rows)
        yield from turns(columns)


def turns(lines: Iterable[str]) -> Iterator[str]:
    """Yield two neighbouring lines, each in both directions, and each line repeated."""
    both = [(line, line[::-1]) for line in lines]
    for ways, following in pairwise(both):
        yield from (one + two for one in ways for two in following)
        yield from (one + two + one for one in ways for two in following)
    yield from (way * times for ways in both for way in ways for times in range(2, 6))


def windows(line: str, shortest: int, longest: int) -> Iterator[str]:
    """Yield every part of a line that begins on a key where a hand begins: the first ten."""
    for start in range(min(10, len(line))):
        yield from (line[start : start + size] for size in range(shortest, longest) if start + size <= len(line))


def sequences() -> Iterator[str]:
    """Yield runs of letters and of digits, in both directions."""
    for line in (LETTERS, LETTERS[::-1], LETTERS + DIGITS, LETTERS[:12] + DIGITS, DIGITS + LETTERS):
        yield from (line[:size] for size in range(SHORTEST, len(line) + 1))
    for line in (DIGITS * 4, DIGITS[::-1] * 4, "0123456789" * 4, "9876543210" * 4):
        yield from windows(line, SHORTEST, 21)
    for size in (2, 3, 4):
        for line in (LETTERS, DIGITS):
            held = "".join(key * size for key in line)
            yield from (held[:end] for end in range(SHORTEST, 25) if end % size == 0)


def repeated(patterns: list[str]) -> Iterator[str]:
    """Yield short patterns said again and again, whole or cut off at the length that is asked for."""
    for pattern in patterns:
        yield from (pattern * times for times in range(2, 11))
        yield from ((pattern * ASKED)[:size] for size in (SHORTEST, 10, 12, ASKED, 16, 20))
        yield from (pattern * times + DIGITS[:3] for times in range(3, 6))


def years() -> Iterator[str]:
    """Yield years doubled, tripled and beside each other."""
    yield from (str(year) * times for year in YEARS for times in range(2, 6))
    yield from (f"{year}{other}" for year, other in pairwise(YEARS))


def passwords(sections: dict[str, list[str]]) -> set[str]:
    """Answer every common password, normalised and folded as the policy does it.

    What is made of one or two characters is left out: the policy refuses all of that without a list.
    """
    usual, words, phrases = sections["usual"], sections["words"], sections["phrases"]
    found = {*sections["known"], *repeated(sections["patterns"]), *walks(), *sequences(), *years(), *pairs(usual)}
    for word in (*usual, *words):
        found.update(of_word(word))
    for word in usual:
        found.update(of_usual(word))
    for phrase in phrases:
        found.update(of_phrase(phrase))
    folded = {unicodedata.normalize("NFKC", entry).casefold() for entry in found}
    return {entry for entry in folded if SHORTEST <= len(entry) <= LONGEST and len(set(entry)) > 2}


def text() -> str:
    """Answer the file: an entry on each line, sorted by code point, without an empty line."""
    return "\n".join(sorted(passwords(read_words(WORDS))))


def main(arguments: list[str] | None = None) -> int:
    """Write the list, or with `--check` compare it; answer the exit status."""
    parser = argparse.ArgumentParser(description="Make the list of common passwords.")
    parser.add_argument("--check", action="store_true", help="exit 1 if the list differs from what would be written")
    made = text().encode()
    if not parser.parse_args(arguments).check:
        TARGET.write_bytes(made)
        return 0
    if TARGET.is_file() and TARGET.read_bytes() == made:
        return 0
    print(f"{TARGET.name} differs: run python tools/common_passwords.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
