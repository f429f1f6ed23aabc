"""Rules R1 and R2: whatever bytes come in, a struct that cannot be wrong comes out, or one of four refusals."""

from __future__ import annotations

import json
import string
import subprocess
import sys
import time
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from authcore import AuthError, Request
from authcore.decode import MAX_DEPTH, MAX_NAMED, decode, parse_json, to_struct
from authcore.errors import BodyTooLarge, InvalidBody, InvalidFields, InvalidJson, UnsupportedMediaType
from authcore.features.password.schemas import SignUp
from authcore.features.sessions.schemas import Reauthenticate
from authcore.http import BODY_CAP
from authcore.route import Empty

JSON = {"content-type": "application/json"}
CANARY = "canary-7f3a"
GOOD = {"email": "ada@example.com", "password": "three quiet herons wade"}


class Every(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One field of each kind that bodies have."""

    text: Annotated[str, Meta(min_length=2, max_length=4)]
    choice: Literal["cookie", "bearer"]
    number: int = 0
    flag: bool = False
    maybe: Annotated[str, Meta(min_length=2)] | None = None
    listed: list[int] = []


def read(body: bytes, kind: Any = SignUp, headers: dict[str, str] = JSON) -> Any:
    """Decode a body as a route does."""
    return decode(Request("POST", "/sign-up", body, headers), kind)


def wrong_fields(body: Any, kind: Any = Every) -> list[tuple[str, str]]:
    """Answer (field, code) of each wrong field, in the order of the answer."""
    with pytest.raises(InvalidFields) as caught:
        read(json.dumps(body).encode(), kind)
    return [(detail["field"], detail["code"]) for detail in caught.value.details]


def test_at_most_fifty_wrong_fields_are_named() -> None:
    """R2: known fields come first, then unknown ones, fifty in all; one answer for all that is beyond."""
    named = wrong_fields({f"f{number}": 0 for number in range(5000)})

    assert len(named) == MAX_NAMED == 50
    assert named[:3] == [("text", "missing"), ("choice", "missing"), ("f0", "unknown")]


# --- any bytes ---

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
named = st.dictionaries(st.sampled_from([*GOOD, "display_name", "transport", "role", "x"]), values, max_size=6)
jsonish = st.text(alphabet='{}[]",:\\u0123456789eE+-.truefalsnl \t\n"', max_size=60).map(str.encode)
bodies = st.one_of(
    st.binary(max_size=60),
    jsonish,
    values.map(lambda value: json.dumps(value).encode()),
    named.map(lambda value: json.dumps(value).encode()),
    st.tuples(named, st.integers(0, 40), st.binary(max_size=3)).map(
        lambda t: (raw := json.dumps(t[0]).encode())[: t[1]] + t[2] + raw[t[1] :]
    ),
)


@given(bodies, st.sampled_from([SignUp, Reauthenticate, Empty, Every]))
@example(b"\xff\xfe{\x00}\x00", SignUp)
@example(b'{"email": 1e400}', SignUp)
@example(b"-" + b"9" * 5000, SignUp)
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_struct_or_a_refusal(body: bytes, kind: Any) -> None:
    """R1: no body is anything but a struct, 400, 413, 415 or 422, and a 422 names at least one field."""
    try:
        outcome = read(body, kind)
    except AuthError as error:
        outcome = error

    refused = isinstance(outcome, AuthError)
    assert outcome.status in (400, 413, 415, 422) if refused else isinstance(outcome, kind)
    assert outcome.details if isinstance(outcome, InvalidFields) else True


@given(named)
@settings(max_examples=200, deadline=None)
def test_what_is_accepted_says_what_was_sent(value: dict[str, Any]) -> None:
    """R2: an accepted body is exactly the struct's fields, converted from nothing else."""
    try:
        outcome = read(json.dumps(value).encode())
    except AuthError:
        return

    sent = {name: given for name, given in value.items() if given is not None}
    assert {name: given for name, given in msgspec.to_builtins(outcome).items() if given is not None} == sent


# --- what parsers read differently ---


@pytest.mark.parametrize(
    "body",
    [
        b'{"email": "a@b.cd", "email": "c@d.ef"}',
        b'{"x": {"a": 1, "a": 1}}',
        b'{"email": 1, "\\u0065mail": 2}',
        b'{"email": "a\\u0000b"}',
        b'{"a\\u0000": 1}',
        b'{"email": "a\x00b"}',
        b'{"email": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'["\\ud800"]',
        b'{"email": NaN}',
        b'{"email": Infinity}',
        b'{"email": -Infinity}',
        b'{"email": 1e999}',
        b'{"email": -1e999}',
        b'{"email": ' + b"9" * 401 + b"}",
        b'{"email": ' + b"9" * 60000 + b"}",
        b"\xef\xbb\xbf{}",
        '{"email": "ä"}'.encode("latin-1"),
        '{"email": "a@b.cd"}'.encode("utf-16"),
        b'{"email": "\xed\xa0\x80"}',
        b'{"email": "\xc0\x80"}',
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{} x",
        b"{'email': 1}",
        b'{"email": 01}',
        b'{"email": 1,}',
        b'{"email": "a\nb"}',
        b'/* */ {"email": 1}',
        b'{"email": +1}',
        b'{"email": .5}',
        b'{"email": "\\x41"}',
        b"true false",
    ],
)
def test_a_body_that_parsers_read_differently_is_invalid_json(body: bytes) -> None:
    """R1: keys twice, NUL, lone surrogates, NaN, numbers beyond measure, a BOM, other encodings: 400, no guessing."""
    with pytest.raises(InvalidJson):
        read(body)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_the_depth_is_capped_exactly(opening: str, closing: str) -> None:
    """R1: 32 levels are read, 33 are not."""
    levels = len(opening.replace('"a":', ""))

    def nested(depth: int) -> bytes:
        return (opening * (depth // levels) + "1" + closing * (depth // levels)).encode()

    deepest = parse_json(nested(MAX_DEPTH))

    assert MAX_DEPTH == 32
    assert deepest is not None
    with pytest.raises(InvalidJson):
        parse_json(nested(MAX_DEPTH + levels))


def test_brackets_inside_strings_are_no_depth() -> None:
    """R1: only structure counts; escaped quotes do not end a string."""
    text = '\\"[' * 40 + "{" * 40

    assert parse_json(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 32000,
        b'{"a":"' + b'\\"' * 32000,
        b'"' * 65000,
        b"[" * 65000,
        b"[" * 30000 + b"]" * 30000,
        b'"' + b"\\" * 65000,
        b'{"":' * 16000,
        b"[0," * 21000,
        b"1" * 65000,
        b'"\\u' * 20000,
    ],
)
def test_no_body_takes_long(body: bytes) -> None:
    """R1: the cost of a refusal grows with the body's size and not with its square."""
    began = time.process_time()

    with pytest.raises(InvalidJson):
        parse_json(body)

    assert time.process_time() - began < 0.5


def test_a_number_of_many_digits_is_wrong_and_no_crash() -> None:
    """R1: up to 400 digits are a number of the wrong type; beyond, the body is no JSON that is read."""
    assert wrong_fields({"text": int("9" * 400), "choice": "cookie"}) == [("text", "wrong_type")]
    with pytest.raises(InvalidJson):
        read(b'{"text": %s}' % (b"9" * 401), Every)


# --- size and content type ---


def test_the_size_is_capped_before_anything_else() -> None:
    """R1: 64 KiB are read; one byte more is 413, also where the content type is wrong."""
    padded = json.dumps(GOOD).encode().ljust(BODY_CAP)

    assert BODY_CAP == 64 * 1024
    assert read(padded).email == GOOD["email"]
    for headers in (JSON, {"content-type": "text/plain"}, {}):
        with pytest.raises(BodyTooLarge):
            read(padded + b" ", headers=headers)


@pytest.mark.parametrize(("fault", "error"), [("too_large", BodyTooLarge), ("broken", InvalidBody)])
def test_what_an_adapter_could_not_read_is_refused(fault: Any, error: type[AuthError]) -> None:
    """R1: an adapter that did not get the whole body says so; a broken one ends the connection."""
    with pytest.raises(error) as caught:
        decode(Request("POST", "/sign-up", b"", JSON, fault=fault), SignUp)

    assert dict(caught.value.headers).get("Connection") == ("close" if fault == "broken" else None)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json ;\tcharset=utf-8",
    ],
)
def test_json_in_utf_8_is_read(content_type: str) -> None:
    """R1: `application/json`, with or without saying that it is UTF-8."""
    assert read(json.dumps(GOOD).encode(), headers={"content-type": content_type}).email == GOOD["email"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/json-patch+json",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/json,application/json",
        "application/json; charset=utf-8; boundary=x",
        "application/json\n",
        "*/*",
    ],
)
def test_everything_else_is_an_unsupported_media_type(content_type: str) -> None:
    """R1: forms and other types, which a page of another site can send, are 415; so are two types in one header."""
    with pytest.raises(UnsupportedMediaType):
        read(json.dumps(GOOD).encode(), headers={"content-type": content_type})


def test_a_body_without_a_content_type_is_unsupported_and_no_body_is_empty() -> None:
    """R1: bytes need their type; a request without either is a body without fields."""
    with pytest.raises(UnsupportedMediaType):
        read(b"{}", headers={})

    assert read(b"", Empty, headers={}) == Empty()
    with pytest.raises(InvalidFields):
        read(b"", SignUp, headers={})


# --- fields ---


def test_every_wrong_field_is_named_in_order() -> None:
    """R2: one answer names all wrong fields: the struct's in its order, then the unknown ones as they came."""
    body = {
        "role": "admin",
        "listed": [1, "x"],
        "maybe": "x",
        "flag": "yes",
        "number": 1.5,
        "choice": "header",
        "user_id": "u1",
    }

    assert wrong_fields(body) == [
        ("text", "missing"),
        ("choice", "invalid"),
        ("number", "wrong_type"),
        ("flag", "wrong_type"),
        ("maybe", "too_short"),
        ("listed", "wrong_type"),
        ("role", "unknown"),
        ("user_id", "unknown"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("text", "a", "too_short"),
        ("text", "abcde", "too_long"),
        ("text", None, "wrong_type"),
        ("text", 5, "wrong_type"),
        ("text", ["ab"], "wrong_type"),
        ("choice", "Cookie", "invalid"),
        ("choice", 1, "wrong_type"),
        ("number", "5", "wrong_type"),
        ("number", True, "wrong_type"),
        ("number", None, "wrong_type"),
        ("flag", 1, "wrong_type"),
        ("flag", "true", "wrong_type"),
        ("maybe", 7, "wrong_type"),
        ("maybe", "", "too_short"),
        ("listed", {}, "wrong_type"),
    ],
)
def test_nothing_is_converted_on_the_way(field: str, value: Any, code: str) -> None:
    """R1: texts are no numbers and numbers no truths; each fault has its code."""
    assert wrong_fields({"text": "abc", "choice": "cookie", field: value}) == [(field, code)]


@pytest.mark.parametrize("body", [[], [1], "text", 5, True, None, [{"email": "a@b.cd"}]])
def test_a_body_that_is_no_object_is_told_so(body: Any) -> None:
    """R1: another JSON value is 422 with the one fault that it is no object."""
    assert wrong_fields(body) == [("", "wrong_type")]


@pytest.mark.parametrize(
    "name", ["role", "email_verified", "user_id", "aal", "is_admin", "__class__", "Email", "email ", "tenant"]
)
def test_unknown_fields_are_refused(name: str) -> None:
    """R2: nothing is mass-assigned."""
    shown = name if name.strip() == name else "?"

    assert wrong_fields({**GOOD, name: "x"}, SignUp) == [(shown, "unknown")]


leaves = st.sampled_from([CANARY, [CANARY], {CANARY: CANARY}, {"a": [CANARY]}, 7, None])


@given(
    st.dictionaries(st.sampled_from(["text", "choice", "number", "flag", "maybe", "listed"]), leaves, max_size=6),
    st.dictionaries(st.sampled_from(["role", "x y", "ключ", "<b>", f"x {CANARY}", ""]), leaves, max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_no_value_is_ever_echoed(known: dict[str, Any], unknown: dict[str, Any]) -> None:
    """R1, O3: neither a value nor a name that is none of ours stands in the answer."""
    with pytest.raises(InvalidFields) as caught:
        to_struct({**known, **unknown}, Every)

    told = json.dumps(caught.value.to_json(), ensure_ascii=False) + repr(caught.value) + str(caught.value)
    assert CANARY not in told
    assert {detail["field"] for detail in caught.value.details} <= {
        "text",
        "choice",
        "number",
        "flag",
        "maybe",
        "listed",
        "role",
        "?",
    }
    assert set(told) <= set(string.printable)


@pytest.mark.parametrize("body", [b'{"email": "%s"', b"%s", b'{"email": "%s", "email": 1}', b'{"%s": NaN}'])
def test_invalid_json_is_not_echoed_either(body: bytes) -> None:
    """O3: the refusal of a body that is no JSON, its cause included, holds nothing of the body."""
    with pytest.raises(InvalidJson) as caught:
        read(body.replace(b"%s", CANARY.encode()))

    error = caught.value
    assert CANARY not in repr((error.to_json(), error.args, error.__cause__))
    assert error.__suppress_context__


MANY_FIRSTS = """
import sys, threading, msgspec
from typing import Annotated
from authcore.decode import to_struct

sys.setswitchinterval(1e-6)
text = Annotated[str, msgspec.Meta(max_length=200)] | None
names = [f"f{number}" for number in range(12)]
for number in range(100):
    kind = msgspec.defstruct(f"Kind{number}", [(name, text, None) for name in names])
    start = threading.Barrier(10)
    def first():
        start.wait()
        assert to_struct(dict.fromkeys(names, "x"), kind).f11 == "x"
    threads = [threading.Thread(target=first) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_the_first_bodies_of_a_kind_may_come_together() -> None:
    """A process lives on when its threads meet a kind of body for the first time at the same moment."""
    ended = subprocess.run([sys.executable, "-c", MANY_FIRSTS], capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stderr) == (0, "")
