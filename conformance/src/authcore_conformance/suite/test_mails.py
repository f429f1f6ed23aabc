"""Mails: what a request says of its reader arrives in them, and each is one value with a key of its own."""

from __future__ import annotations

import pytest

from authcore_conformance.world import EMAIL, PASSWORD, World

SUBJECTS = {
    "en": "Confirm your address for app.example",
    "de": "Bestätigen Sie Ihre Adresse für app.example",
    "fr": "Confirmez votre adresse pour app.example",
}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de", "de"),
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("ja, *;q=0.1", "en"),
        ("en;q=0, de;q=0.3", "de"),
        (";q=,,*;q=2, -", "en"),
    ],
)
def test_a_mail_is_in_the_language_that_was_asked_for(world: World, asked: str, language: str) -> None:
    """`Accept-Language` chooses among the shipped languages by quality, and nonsense in it is English."""
    client = world.client(headers=[("Accept-Language", asked)])

    client.sign_up(EMAIL, PASSWORD)

    [mail] = world.mails(EMAIL)
    assert (mail.locale, mail.subject) == (language, SUBJECTS[language])
    assert f'<html lang="{language}">' in mail.html


def test_the_language_changes_no_answer(world: World) -> None:
    """Rule A2: known or unknown, whatever the language, the answers are alike; the owner is told in its language."""
    world.member()
    replies = {}
    for address in (EMAIL, "new@example.com"):
        client = world.client(headers=[("Accept-Language", "de")])
        replies[address] = client.sign_up(address, PASSWORD).status

    told = world.mails(EMAIL)[-1]

    assert set(replies.values()) == {202}
    assert (told.kind, told.locale) == ("sign_up_existing", "de")


def test_every_mail_is_one_typed_value(world: World) -> None:
    """Recipient, kind, template, code, expiry and an idempotency key of its own stand in each mail (S92)."""
    for address in ("a@example.com", "b@example.com"):
        world.client().sign_up(address, PASSWORD)
        world.clock.advance(1)  # what was decided at one instant goes out in no order

    first, second = world.mails()

    assert (first.to, second.to) == ("a@example.com", "b@example.com")
    assert (first.kind, first.template) == ("sign_up", "auth-sign-up")
    assert first.code is not None
    assert first.code in first.text
    assert first.expires_at is not None
    assert first.expires_at > world.clock.now()
    assert first.key
    assert first.key != second.key
