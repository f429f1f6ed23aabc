"""The list of common passwords: what it holds, and that it is what its tool makes."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path
from shutil import copytree

import pytest

from authcore.services import password_policy as policy
from authcore.services.password_policy import common_passwords

ROOT = Path(__file__).parents[4]
LISTED = Path(policy.__file__).parent / "common_passwords.txt"
ENTRIES = LISTED.read_text(encoding="utf-8").split("\n")
ASKED = 15  # code points, the policy's default


def check(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool of a checkout."""
    tool = root / "tools" / "common_passwords.py"
    return subprocess.run([sys.executable, tool, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Answer a root with the tool, its words and the list."""
    copytree(ROOT / "tools", tmp_path / "tools")
    target = tmp_path / LISTED.relative_to(ROOT)
    target.parent.mkdir(parents=True)
    target.write_bytes(LISTED.read_bytes())
    return tmp_path


def test_the_list_reaches_past_the_length_that_is_asked_for() -> None:
    """At least 3,000 entries pass the default length, and as many a policy of eight characters alone (rule A4)."""
    long = [entry for entry in ENTRIES if len(entry) >= ASKED]
    short = [entry for entry in ENTRIES if 8 <= len(entry) < ASKED]

    assert len(long) >= 3000
    assert len(short) >= 3000


def test_the_list_is_small_enough_to_ship() -> None:
    """The file has at most 400 KB."""
    assert LISTED.stat().st_size <= 400_000


def test_the_list_is_sorted_and_unique() -> None:
    """Entries stand once, in the order of their code points, and no line is empty."""
    assert sorted(set(ENTRIES)) == ENTRIES
    assert "" not in ENTRIES


def test_entries_are_spelled_as_the_policy_spells() -> None:
    """Each entry is normalised and folded, so that the policy can meet it, and none is too short to be met."""
    met = [unicodedata.normalize("NFKC", entry).casefold() for entry in ENTRIES]

    assert met == ENTRIES
    assert min(map(len, ENTRIES)) >= 8


def test_the_reader_reads_the_whole_list() -> None:
    """What the policy compares with is the list, entry for entry."""
    assert common_passwords() == frozenset(ENTRIES)


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "iloveyouiloveyou",
        "letmeinletmeinletmein",
        "password12345678",
        "password1234567",
        "password!!!!!!!",
        "password123password123",
        "passwordpassword2024",
        "sunshinesunshine",
        "samantha12345678",
        "jenniferjennifer",
        "123456789012345",
        "1234567890123456",
        "098765432109876",
        "987654321987654321",
        "123123123123123",
        "20242024202420242024",
        "qwertyuiopasdfgh",
        "qwertyuiopasdfghjklzxcvbnm",
        "azertyuiopqsdfgh",
        "qwertzuiopasdfgh",
        "mnbvcxzlkjhgfdsa",
        "1qaz2wsx3edc4rfv",
        "zaq12wsxcde34rfv",
        "1q2w3e4r5t6y7u8i",
        "qwertyqwertyqwerty",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "aaaabbbbccccdddd",
        "abcabcabcabcabc",
        "abcd1234abcd1234",
        "abc123abc123abc123",
        "p@ssw0rdp@ssw0rd",
        "thisismypassword",
        "this is my password",
        "correcthorsebatterystaple",
        "correct horse battery staple",
        "contraseñacontraseña",
    ],
)
def test_long_passwords_that_people_choose_are_listed(password: str) -> None:
    """The ways in which people lengthen a word are there at the default length."""
    assert len(password) >= ASKED
    assert password in common_passwords()


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "password1",
        "password123",
        "p@ssw0rd",
        "pa$$word",
        "passw0rd",
        "12345678",
        "123456789",
        "qwertyuiop",
        "qwerty123",
        "1q2w3e4r",
        "iloveyou",
        "sunshine",
        "football",
        "princess",
        "michael1",
        "welcome1",
        "welcome123",
        "summer2024",
        "summer2024!",
        "letmein123",
        "trustno1",
        "changeme",
        "abcd1234",
    ],
)
def test_short_passwords_that_people_choose_are_listed(password: str) -> None:
    """Where the policy asks for eight characters, the most usual passwords are there."""
    assert password in common_passwords()


@pytest.mark.parametrize("password", ["three quiet herons wade", "ochre-teapot-gallop-sleet", "vK3#tq9LmZ!x72pW"])
def test_what_nobody_else_chooses_is_not_listed(password: str) -> None:
    """Words put together by chance and random characters are free."""
    assert password.casefold() not in common_passwords()


def test_the_list_is_what_the_tool_makes(copy: Path) -> None:
    """The tool finds the shipped list equal, and makes the same bytes again."""
    target = copy / LISTED.relative_to(ROOT)

    compared = check(copy, "--check")
    target.unlink()
    made = check(copy)

    assert (compared.returncode, compared.stderr) == (0, "")
    assert made.returncode == 0
    assert target.read_bytes() == LISTED.read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [b"passwordpassword", LISTED.read_bytes() + b"\n", b"", None],
    ids=["another", "a line more", "empty", "missing"],
)
def test_a_list_that_differs_fails_the_check(copy: Path, wrong: bytes | None) -> None:
    """A list that was cut, edited, emptied or lost makes the check fail, saying what to run and writing nothing."""
    target = copy / LISTED.relative_to(ROOT)
    target.unlink()
    if wrong is not None:
        target.write_bytes(wrong)

    compared = check(copy, "--check")

    assert compared.returncode == 1
    assert "python tools/common_passwords.py" in compared.stderr
    assert (target.read_bytes() if target.exists() else None) == wrong
