"""What a password must be: lengths, normalising, digits, common and personal ones (rule A4)."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authcore import Auth, Password, Tenant
from authcore.context import Context
from authcore.drive import Drive
from authcore.errors import ConfigurationError, InvalidFields
from authcore.services.password_policy import accept, common_passwords, normalise

SECRET = "a secret of these tests, long enough"
EMAIL = "ada.lovelace@example.org"
LONG = "three quiet herons wade"
BOUND = 256  # code points
CHARACTERS = st.characters(exclude_categories=["Cs"])
CODES = {"too_short", "too_long", "password_needs_number", "password_too_common", "password_too_personal"}
SENTENCES = {
    "Use at least 15 characters.",
    "Use at most 256 characters.",
    "This password is too common.",
    "Do not use your address or the site's name.",
}
LIGATURE = "\ufdfa"  # eighteen code points once normalised


def context(product: str = "Example Shop", **settings: Any) -> Context:
    """Answer a context in which passwords are as `settings` say."""
    auth = Auth(
        dev_mode=True,
        secret=SECRET,
        database="sqlite://",
        base_url="http://bookshop.localhost:8000",
        product=product,
        features=[Password(**settings)],
    )
    return Context(auth.runtime(Drive.BLOCKING))


DEFAULT, SHORT = context(), context(min_length=8)


def details(error: InvalidFields) -> list[dict[str, str]]:
    """Answer what an error says of each field."""
    assert isinstance(error.details, list)
    return error.details


def refusal(ctx: Context, password: str, *, email: str | None = EMAIL, field: str = "password") -> str | None:
    """Answer the code with which a password is refused, or None."""
    try:
        accept(ctx, password, email=email, field=field)
    except InvalidFields as error:
        (detail,) = details(error)
        assert detail["field"] == field
        return detail["code"]
    return None


@pytest.mark.parametrize(
    ("ctx", "password", "expected"),
    [
        (DEFAULT, LONG[:14], "too_short"),
        (DEFAULT, LONG[:15], None),
        (SHORT, LONG[:7], "too_short"),
        (SHORT, LONG[:8], None),
        (DEFAULT, "", "too_short"),
        (DEFAULT, "abc" + "ö" * 125, None),
        (DEFAULT, "abc" + "ö" * (BOUND - 3), None),
        (DEFAULT, "abc" + "ö" * (BOUND - 2), "too_long"),
    ],
)
def test_lengths_have_two_bounds(ctx: Context, password: str, expected: str | None) -> None:
    """Fifteen code points by default and eight where set are enough, 256 are allowed, and one past a bound is not."""
    assert refusal(ctx, password) == expected


def test_length_is_counted_in_code_points() -> None:
    """Fifteen emoji are fifteen characters, whatever they take in bytes or in UTF-16."""
    fifteen = "🐙🦀🐡🐟🐬🐳🦈🦭🐊🐢🦎🐍🐲🦕🦖"

    assert refusal(DEFAULT, fifteen) is None
    assert refusal(DEFAULT, fifteen[1:]) == "too_short"


def test_length_is_counted_after_normalising() -> None:
    """A letter typed as two code points counts once, so no keyboard makes a short password long."""
    twice = unicodedata.normalize("NFD", "éèêëàâäùûüîïôö")

    assert len(twice) == 28
    assert refusal(DEFAULT, twice) == "too_short"


def test_length_is_counted_before_normalising_too() -> None:
    """A4: one code point that NFKC makes eighteen of is one character, and no password."""
    assert len(normalise(LIGATURE)) == 18
    assert refusal(DEFAULT, LIGATURE) == "too_short"
    assert refusal(DEFAULT, "ab" + LIGATURE * 12) == "too_short"
    assert refusal(DEFAULT, "ab" + LIGATURE * 13) is None


def test_length_is_capped_before_normalising() -> None:
    """What is too long is refused by its own length, though it would be short enough once normalised."""
    composed_to_less = "e\u0301" * (BOUND // 2) + "ab"

    assert len(normalise(composed_to_less)) < BOUND
    assert refusal(DEFAULT, composed_to_less) == "too_long"


def test_nothing_is_cut_off() -> None:
    """A password at the bound that grows eighteen-fold is kept whole."""
    password = "ab" + LIGATURE * (BOUND - 2)

    clean = accept(DEFAULT, password, email=EMAIL)

    assert clean == "ab" + normalise(LIGATURE) * (BOUND - 2)
    assert len(clean) == 2 + 18 * (BOUND - 2)


@given(st.text(CHARACTERS, min_size=BOUND + 1, max_size=BOUND + 40))
def test_no_text_past_the_bound_is_accepted(password: str) -> None:
    """Any 257 code points and more are too long."""
    assert refusal(DEFAULT, password) == "too_long"


@given(st.text(CHARACTERS, max_size=14))
def test_no_short_text_is_accepted(password: str) -> None:
    """Any text that is short once normalised is too short."""
    assume(len(normalise(password)) < 15)

    assert refusal(DEFAULT, password) == "too_short"


@given(st.text(CHARACTERS, max_size=BOUND))
def test_every_text_is_accepted_whole_or_refused_by_a_known_code(password: str) -> None:
    """A password comes back in NFKC, all of it, or is refused with one of the policy's codes; no text is an error."""
    code = refusal(DEFAULT, password)

    assert code in CODES | {None}
    if code is None:
        assert accept(DEFAULT, password, email=EMAIL) == unicodedata.normalize("NFKC", password)


@given(st.text(CHARACTERS, min_size=15, max_size=60), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_every_spelling_of_a_password_is_the_same_password(password: str, form: Any) -> None:
    """However a keyboard composes the characters, the answer is the same."""
    spelled = unicodedata.normalize(form, password)
    assume(15 <= len(spelled) <= BOUND)

    assert refusal(DEFAULT, spelled) == refusal(DEFAULT, password)
    assert normalise(spelled) == normalise(password)


@given(st.text(CHARACTERS, max_size=300))
def test_a_refusal_never_echoes_the_password(password: str) -> None:
    """The sentence of a refusal depends on the reason alone."""
    assume(refusal(DEFAULT, password) is not None)

    with pytest.raises(InvalidFields) as caught:
        accept(DEFAULT, password, email=EMAIL)

    (detail,) = details(caught.value)
    assert set(detail) == {"field", "code", "message"}
    assert detail["message"] in SENTENCES


def test_a_digit_is_asked_for_only_where_it_is_set() -> None:
    """There are no composition rules by default; `require_number=True` asks for a digit of any script."""
    asking = context(require_number=True)

    assert refusal(DEFAULT, LONG) is None
    assert refusal(asking, LONG) == "password_needs_number"
    assert refusal(asking, LONG + "7") is None
    assert refusal(asking, LONG + "²") is None
    assert refusal(asking, LONG + "٣") is None
    assert refusal(asking, LONG + "Ⅻ") == "password_needs_number"


@pytest.mark.parametrize("password", ["x" * 15, "xyxyxyxyxyxyxyxyx", "1" * 20, " " * 15, "Aa" * 10, "aA" * 8 + "b"])
def test_one_or_two_characters_are_too_common(password: str) -> None:
    """What is made of one or two characters, in either case, is too common at any length."""
    assert refusal(DEFAULT, password) == "password_too_common"


@given(st.sampled_from(sorted(common_passwords())), st.data())
def test_every_common_password_is_refused_in_any_case(password: str, data: st.DataObject) -> None:
    """No listed password is accepted, however its letters are capitalised."""
    upper = data.draw(st.sets(st.integers(0, len(password) - 1)))
    spelled = "".join(char.upper() if at in upper else char for at, char in enumerate(password))

    assert refusal(SHORT, spelled, email=None) == "password_too_common"


@pytest.mark.parametrize("password", ["ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "ⓟⓐⓢⓢⓦⓞⓡⓓⓟⓐⓢⓢⓦⓞⓡⓓ"])
def test_a_common_password_in_other_letters_is_refused(password: str) -> None:
    """Full-width, mathematical and circled letters are the letters that they stand for."""
    assert refusal(DEFAULT, password) == "password_too_common"


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.org",
        "ADA.LOVELACE@EXAMPLE.ORG",
        "ada lovelace example org",
        "ａｄａ.lovelace@example.org",
        "ada.lovelace",
        "AdaLovelace",
        "ada-lovelace",
        "adalovelaceadalovelace",
        "ada.lovelace ada.lovelace",
        "Example Shop",
        "exampleshop",
        "example-shop!",
        "ExampleShopExampleShop",
        "bookshop.localhost:8000",
        "http://bookshop.localhost:8000",
    ],
)
def test_the_address_and_the_sites_name_are_no_password(password: str) -> None:
    """The address, what stands before its @, the site's name and host are refused, spaced, doubled or capitalised."""
    assert refusal(SHORT, password) == "password_too_personal"


@pytest.mark.parametrize("product", ["Ｅxample Ｓhop", "EXAMPLE SHOP™", "Ⓔxample Shop", "exampLe ſhop"])
def test_the_sites_name_counts_however_the_application_spells_it(product: str) -> None:
    """A4: the name is spelled as passwords are, in NFKC, before the two are compared."""
    ctx = context(product=product, min_length=8)

    assert refusal(ctx, product) == "password_too_personal"
    assert refusal(ctx, unicodedata.normalize("NFKC", product)) == "password_too_personal"


@pytest.mark.parametrize(
    "password", ["North Books", "northbooks", "northbooksnorthbooks", "books.north.example", "Example Shop"]
)
def test_a_tenants_name_and_site_are_no_password_there(password: str) -> None:
    """A4: what the tenant's site is called is as easily guessed as what the application is called."""
    north = replace(SHORT, tenant=Tenant("north", "https://books.north.example", brand={"product": "North Books"}))

    assert refusal(north, password) == "password_too_personal"
    assert refusal(SHORT, password) == ("password_too_personal" if password == "Example Shop" else None)


@pytest.mark.parametrize(
    "password", ["ada.lovelace rows at dawn", "the Example Shop closes late", "bookshop by the harbour"]
)
def test_names_inside_a_longer_password_are_free(password: str) -> None:
    """The address and the site's name are refused as whole passwords alone."""
    assert refusal(SHORT, password) is None


def test_another_address_is_no_reason_to_refuse() -> None:
    """The address that counts is that of the account, and without one only the site's name counts."""
    assert refusal(DEFAULT, EMAIL, email="grace@example.org") is None
    assert refusal(DEFAULT, EMAIL, email=None) is None
    assert refusal(SHORT, "Example Shop", email=None) == "password_too_personal"


def test_an_address_without_letters_refuses_nothing_else() -> None:
    """A name or an address of signs alone does not make every password of signs a personal one."""
    ctx = context(product="***")

    assert refusal(ctx, "!?=)(/&%$§#'~<>|", email="+-+@example.org") is None


def test_the_refused_field_is_named() -> None:
    """Change, reset and invitation name the field that they were sent."""
    assert refusal(DEFAULT, "short", field="new_password") == "too_short"


@pytest.mark.parametrize("min_length", [8, 15, 128])
def test_the_least_length_may_be_set(min_length: int) -> None:
    """From 8 to 128 code points may be asked for."""
    ctx = context(min_length=min_length)
    password = (LONG * 6)[:min_length]

    assert refusal(ctx, password) is None
    assert refusal(ctx, password[1:]) == "too_short"


@pytest.mark.parametrize("min_length", [-1, 0, 7, 129])
def test_a_least_length_out_of_bounds_refuses_to_start(min_length: int) -> None:
    """Fewer than eight characters are not on offer, nor a bound that people could not meet."""
    with pytest.raises(ConfigurationError, match="between 8 and 128"):
        Password(min_length=min_length)


def test_a_short_password_is_a_finding() -> None:
    """Below fifteen characters the room says what that weakens; at fifteen it says nothing."""
    assert any("below 15" in finding for finding in Password(min_length=14).findings(None))
    assert Password(min_length=15).findings(None) == []
