"""`authcore keys`: what signs tokens is shown, replaced and ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, Password, Sessions
from authcore.services.strategies import JwtStrategy
from authcore.testing.ports import FrozenClock

Mounted = Callable[..., Result]
Run = Callable[..., Any]


@pytest.fixture
def made(auth: Callable[..., Auth]) -> Auth:
    """An application whose bearer tokens are signed by keys in the database, one of which is there."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    application = auth(Password(), Sessions(bearer=JwtStrategy(algorithm="ES256")))
    application.blocking_core()
    return application


def listed(made: Auth, mounted: Mounted) -> list[dict[str, Any]]:
    """What `keys list` prints as JSON."""
    shown = mounted(made, "keys", "list", "--json")
    assert shown.exit_code == 0
    found: list[dict[str, Any]] = json.loads(shown.output)
    return found


def first_key(made: Auth, mounted: Mounted, client: Callable[..., Any]) -> str:
    """Sign somebody up, which makes the first key."""
    assert client(made).sign_up().status == 200
    return str(listed(made, mounted)[-1]["kid"])


def test_secrets_and_keys_are_listed(
    made: Auth, mounted: Mounted, client: Callable[..., Any], clock: FrozenClock
) -> None:
    """O4: each with what it does; nothing of the secret or of a private key is shown."""
    kid = first_key(made, mounted, client)

    shown = mounted(made, "keys", "list")

    lines = [line.split() for line in shown.output.splitlines()]
    assert [line[1:] for line in lines] == [["secret", "makes"], ["ES256", "signs"]]
    assert lines[1][0] == kid
    assert "PRIVATE" not in shown.output


def test_a_rotation_publishes_a_key(
    made: Auth, mounted: Mounted, client: Callable[..., Any], clock: FrozenClock
) -> None:
    """O4: the next key is announced with its time, then signs, and the one before verifies to its end."""
    before = first_key(made, mounted, client)

    done = mounted(made, "keys", "rotate")

    assert done.exit_code == 0
    assert "It signs from 2030-01-01T00:01:00Z on." in done.output
    coming = listed(made, mounted)[1]
    assert (coming["state"], coming["at"]) == ("comes", "2030-01-01T00:01:00Z")
    assert coming["kid"] in done.output
    assert listed(made, mounted)[2] == {"kid": before, "algorithm": "ES256", "state": "signs", "at": None}
    clock.advance(60)
    _, after, old = listed(made, mounted)
    assert (after["kid"], after["state"], old["state"]) == (coming["kid"], "signs", "verifies")
    assert f"verify until {old['at']}" in done.output
    clock.advance(7200)
    assert listed(made, mounted)[2]["state"] == "ended"


def test_a_key_that_was_overtaken_only_verifies(
    made: Auth, mounted: Mounted, client: Callable[..., Any], clock: FrozenClock
) -> None:
    """O4: a key whose successor signs before it would is shown with its end, not with a time that never comes."""
    first_key(made, mounted, client)
    assert mounted(made, "keys", "rotate").exit_code == 0
    assert mounted(made, "keys", "rotate", "--now").exit_code == 0

    _, newest, overtaken, first = listed(made, mounted)

    assert [each["state"] for each in (newest, overtaken, first)] == ["signs", "verifies", "verifies"]
    assert overtaken["at"] == "2030-01-01T00:17:00Z"
    clock.advance(61)
    assert [each["state"] for each in listed(made, mounted)] == ["makes", "signs", "verifies", "verifies"]
    clock.advance(17 * 60)
    assert listed(made, mounted)[2]["state"] == "ended"


def test_of_two_keys_to_come_each_is_shown_with_its_time(
    made: Auth, mounted: Mounted, client: Callable[..., Any], clock: FrozenClock
) -> None:
    """O4: the one that signs until the other does comes, too."""
    first_key(made, mounted, client)
    assert mounted(made, "keys", "rotate").exit_code == 0
    clock.advance(30)
    assert mounted(made, "keys", "rotate").exit_code == 0

    shown = listed(made, mounted)

    assert [(each["state"], each["at"]) for each in shown[1:3]] == [
        ("comes", "2030-01-01T00:01:30Z"),
        ("comes", "2030-01-01T00:01:00Z"),
    ]
    clock.advance(31)
    assert [each["state"] for each in listed(made, mounted)] == ["makes", "comes", "signs", "verifies"]


def test_a_rotation_says_how_the_secret_is_replaced(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """S33: a fresh secret and the three steps, in which every node knows a secret before another one uses it."""
    made = auth(secret=["the new secret of these tests, long enough", "the old secret of these tests, long enough"])

    done, again = mounted(made, "keys", "rotate"), mounted(made, "keys", "rotate")

    lines = done.output.splitlines()
    assert "no signing keys" in lines[0]
    assert [line[:2] for line in lines[-3:]] == ["1.", "2.", "3."]
    assert "secret=[old, new]" in lines[-3]
    assert "secret=[new, old]" in lines[-2]
    fresh = [line.strip() for line in lines if line.startswith("  ")]
    assert len(fresh) == 1
    assert len(fresh[0]) == 43
    assert fresh[0] not in again.output


def test_every_secret_is_listed_by_its_id(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """S33: the first makes, the others read; an id is no part of the secret."""
    made = auth(secret=["the new secret of these tests, long enough", "the old secret of these tests, long enough"])
    made.backends.create_tables()

    shown = listed(made, mounted)

    assert [(each["algorithm"], each["state"]) for each in shown] == [("secret", "makes"), ("secret", "reads")]
    assert all(len(each["kid"]) == 16 and each["kid"] not in "secret of these tests" for each in shown)


def test_a_key_that_leaked_is_replaced_and_ended(made: Auth, mounted: Mounted, client: Callable[..., Any]) -> None:
    """O4: `rotate --now`, then `retire`: what the old key signed opens nothing any more."""
    visitor = client(made)
    token = visitor.sign_up().json["access_token"]
    assert visitor.get("/me", bearer=token).status == 200
    old = listed(made, mounted)[-1]["kid"]
    assert mounted(made, "keys", "rotate", "--now").exit_code == 0

    done = mounted(made, "keys", "retire", old)

    assert (done.exit_code, done.output) == (0, f"Retired: {old}. Every node refuses it within 30 seconds.\n")
    assert [each["state"] for each in listed(made, mounted)] == ["makes", "signs", "ended"]
    assert visitor.get("/me", bearer=token).status == 401


@pytest.mark.parametrize("kid", ["signs", "other", "-other", "-h", "--other"])
def test_what_cannot_be_retired_is_said(made: Auth, mounted: Mounted, client: Callable[..., Any], kid: str) -> None:
    """The key that signs is not ended, and no unknown one; the status is not 0."""
    signs = first_key(made, mounted, client)

    done = mounted(made, "keys", "retire", signs if kid == "signs" else kid)

    assert done.exit_code == 1
    assert ("rotate --now" if kid == "signs" else "keys list") in done.output
    assert listed(made, mounted)[-1]["state"] == "signs"


def test_without_signing_keys_none_is_retired(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """An application under its secret alone has no such key."""
    done = mounted(auth(), "keys", "retire", "some")

    assert done.exit_code == 1
    assert "no signing keys" in done.output


def test_as_a_command_of_its_own(authcore: Run) -> None:
    """In production the tables come from `authcore db upgrade`, and the secret is shown by its id alone."""
    assert authcore("db", "upgrade", "--app", "app:auth").returncode == 0

    done = authcore("keys", "list", "--app", "app:auth")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[1:] == ["secret", "makes"]
    assert "long enough" not in done.stdout
