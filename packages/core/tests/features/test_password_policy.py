"""What a password must be: lengths, normalising, digits, common and personal ones (rule A4)."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authcore import Auth, Password, Tenant
from authcore.context import Context
from authcore.drive import Drive, run_blocking
from authcore.errors import ConfigurationError, InvalidFields, Unavailable
from authcore.features.password import BreachService
from authcore.ports import HttpAnswer
from authcore.services import events
from authcore.services import password_policy as policy
from authcore.services import strength as judge
from authcore.services.password_policy import accept, common_passwords, normalise
from authcore.services.strength import estimate, own_estimate

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
    return Context(declared(product, **settings).runtime(Drive.BLOCKING))


def declared(product: str = "Example Shop", **settings: Any) -> Auth:
    """Declare an application whose passwords are as `settings` say."""
    return Auth(
        dev_mode=True,
        secret=SECRET,
        database="sqlite://",
        base_url="http://bookshop.localhost:8000",
        product=product,
        features=[Password(**settings)],
    )


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


# --- what must be looked up ---

HELD = "fifteen other letters"
SHA1 = hashlib.sha1(HELD.encode(), usedforsecurity=False).hexdigest().upper()


class Ranges:
    """A client for other servers that answers ranges of breached passwords, and keeps what it was asked."""

    def __init__(self, body: bytes = b"", status: int = 200, *, down: bool = False) -> None:
        self.body, self.status, self.down = body, status, down
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Answer the range, whatever it is."""
        self.asked.append((method, url, dict(headers or {})))
        if self.down:
            raise Unavailable
        return HttpAnswer(self.status, {}, self.body)


def judged(ctx: Context, password: str) -> str | None:
    """Answer the code with which the whole policy refuses a password, or None."""
    try:
        run_blocking(policy.accepted(ctx, password, email=EMAIL))
    except InvalidFields as error:
        return details(error)[0]["code"]
    return None


def served(ranges: Ranges, base_url: str = "https://ranges.example/v1/") -> tuple[Context, list[events.Event]]:
    """Answer a context in which a service of that answer is asked, and what is told of it."""
    pytest.importorskip("httpx2", reason="the extra authcore[http] is not installed")
    ctx = context(breached=BreachService(base_url))
    heard: list[events.Event] = []
    ctx.runtime.listeners.add(events.BreachCheckFailed, heard.append)
    ports = msgspec.structs.replace(ctx.runtime.ports, http=ranges)
    return Context(msgspec.structs.replace(ctx.runtime, ports=ports)), heard


def test_a_service_hears_five_digits_alone() -> None:
    """A4: k-anonymity: which password was asked about stands neither in the address nor in the headers."""
    ranges = Ranges(f"{'0' * 35}:3\r\n{SHA1[5:]}:12\r\n".encode())
    ctx, heard = served(ranges)

    assert judged(ctx, HELD) == "password_breached"

    assert ranges.asked == [("GET", f"https://ranges.example/v1/range/{SHA1[:5]}", {"Add-Padding": "true"})]
    assert heard == []


@pytest.mark.parametrize("body", [f"{'0' * 35}:3".encode(), f"{SHA1[5:]}:0\r\n".encode(), b"", b"<html>"])
def test_what_is_not_listed_passes(body: bytes) -> None:
    """A4: another suffix, or one that is there for padding alone, breaches nothing."""
    ctx, heard = served(Ranges(body))

    assert judged(ctx, HELD) is None
    assert heard == []


@pytest.mark.parametrize("ranges", [Ranges(down=True), Ranges(status=503), Ranges(status=404)])
def test_a_service_that_is_down_keeps_nobody_out(ranges: Ranges) -> None:
    """A4: the password passes, and `BreachCheckFailed` is told: whoever watches can act."""
    ctx, heard = served(ranges)

    assert judged(ctx, HELD) is None
    assert [type(event) for event in heard] == [events.BreachCheckFailed]


def test_what_the_policy_refuses_is_not_asked_about() -> None:
    """A4: a password that is refused anyway leaves the server in no form."""
    ranges = Ranges()
    ctx, _ = served(ranges)

    assert judged(ctx, "passwordpassword") == "password_too_common"
    assert ranges.asked == []


@pytest.mark.parametrize("base_url", ["http://ranges.example", "ranges.example", ""])
def test_a_service_is_asked_over_https_alone(base_url: str) -> None:
    """A10: whoever listens would learn the range, and could answer it."""
    with pytest.raises(ConfigurationError, match="https"):
        BreachService(base_url)


def test_a_service_without_its_extra_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: the sentence says what to install, at start and not at the first sign-up."""
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(ConfigurationError, match=r"authcore\[http\]"):
        BreachService()


def lines(*passwords: str) -> list[str]:
    """Answer the lines of a sorted list of these passwords."""
    digests = (hashlib.sha1(p.encode(), usedforsecurity=False).hexdigest().upper() for p in passwords)
    return sorted(f"{digest}:{number}" for number, digest in enumerate(digests, 1))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 50, 333])
def test_each_line_of_a_sorted_file_is_found(tmp_path: Path, ending: str, size: int) -> None:
    """A4: the first, the last and those between, and none that is not there."""
    there = [f"a listed password {number}" for number in range(size)]
    file = tmp_path / "list.txt"
    file.write_bytes(ending.join(lines(*there)).encode())
    ctx = context(breached=file)

    assert {judged(ctx, password) for password in there} == {"password_breached"}
    assert {judged(ctx, f"{password}, not listed") for password in there} == {None}


def test_a_folder_of_ranges_is_read(tmp_path: Path) -> None:
    """A4: the folder that downloaders write, with or without `.txt`."""
    for name in (SHA1[:5], f"{SHA1[:5]}.txt"):
        (tmp_path / name).write_text(f"{SHA1[5:]}:2\n")
        assert judged(context(breached=str(tmp_path)), HELD) == "password_breached"
        (tmp_path / name).unlink()


def test_a_file_that_went_away_keeps_nobody_out(tmp_path: Path) -> None:
    """A4: as a service that is down."""
    file = tmp_path / "list.txt"
    file.write_text("\n".join(lines(HELD)))
    ctx = context(breached=file)
    assert judged(ctx, HELD) == "password_breached"
    file.unlink()

    assert judged(ctx, HELD) is None


def test_an_empty_file_is_no_list(tmp_path: Path) -> None:
    """A4: a download that broke off at once keeps nobody out, and is told."""
    file = tmp_path / "list.txt"
    file.touch()
    ctx = context(breached=file)
    heard: list[events.Event] = []
    ctx.runtime.listeners.add(events.BreachCheckFailed, heard.append)

    assert judged(ctx, HELD) is None
    assert len(heard) == 1


def test_a_lone_surrogate_is_looked_up_too(tmp_path: Path) -> None:
    """R1: what a caller's own decoder let through crashes nothing."""
    file = tmp_path / "list.txt"
    file.write_text("\n".join(lines(HELD)))

    assert judged(context(breached=file), "fifteen \ud800 other letters") is None


def test_passwords_that_grow_old_are_a_finding() -> None:
    """`authcore doctor` says what `max_age` weakens."""
    assert any("max_age" in finding for finding in Password(max_age=timedelta(days=90)).findings(None))


def test_a_source_of_ones_own_is_asked() -> None:
    """A4: any object with `contains` is a source."""

    class Own:
        async def contains(self, _ctx: Context, digest: str) -> bool:
            return digest == SHA1

    ctx = context(breached=Own())

    assert judged(ctx, HELD) == "password_breached"
    assert judged(ctx, LONG) is None


# --- how strong ---


def test_strength_is_told_and_decides_nothing() -> None:
    """A4: a score from 0 to 4 for a bar beside the field; the policy asks for other things."""
    calls = declared().blocking.password

    assert calls.strength(password="") == 0
    assert calls.strength(password="password") == 0
    assert calls.strength(password="three quiet herons wade") == 4
    assert calls.strength(password=EMAIL, email=EMAIL) < calls.strength(password=EMAIL)


@pytest.mark.parametrize(
    ("password", "least", "most"),
    [
        ("", 0, 0),
        ("aaaaaaaaaaaaaaaaaaaa", 0, 0),
        ("abcdefghijklmnopqrst", 0, 0),
        ("passwordpassword1!", 0, 0),
        ("qwertyuiop", 0, 1),
        ("heron7", 0, 1),
        ("x7Kq!2mZp9Ls", 4, 4),
        ("password x7Kq!2mZ", 3, 4),
        ("three quiet herons wade", 4, 4),
        ("\U0001f9a2" * 40, 0, 0),
    ],
)
def test_the_estimate_of_our_own_is_in_the_right_place(password: str, least: int, most: int) -> None:
    """Without the extra runs and common passwords score low, long phrases and random text high."""
    assert least <= own_estimate(password) <= most


@given(st.text(max_size=300))
def test_every_text_has_a_score(password: str) -> None:
    """Whatever is typed, both estimates answer 0 to 4, at once."""
    assert own_estimate(password) in range(5)
    assert estimate(password, [EMAIL]) in range(5)


def test_without_the_extra_the_own_estimate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """`authcore[strength]` is optional: without it the scores are coarser, and there."""
    monkeypatch.setitem(sys.modules, "zxcvbn_rs_py", None)
    judge._zxcvbn.cache_clear()
    try:
        assert estimate("x7Kq!2mZp9Ls") == own_estimate("x7Kq!2mZp9Ls")
    finally:
        judge._zxcvbn.cache_clear()
