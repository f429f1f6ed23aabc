"""WSGI's environ in authcore's words."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authcore.http import BODY_CAP
from authcore.protocols import wsgi


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_path_comes_out_as_it_was_decoded(text: str) -> None:
    """A server hands over the bytes of a path as latin-1; out comes the text that they mean."""
    environ = {"PATH_INFO": text.encode().decode("latin-1")}

    assert wsgi.path_of(environ) == text


@given(st.binary())
def test_bytes_that_are_no_utf_8_raise_nothing(raw: bytes) -> None:
    """Whatever bytes a client sends, a path comes out."""
    assert wsgi.path_of({"PATH_INFO": raw.decode("latin-1")}) == raw.decode("utf-8", "replace")


def test_headers_have_lower_case_names_and_bare_values() -> None:
    """Names are lower-case with hyphens, values without blanks around them, and nothing else gets in."""
    environ = {
        "HTTP_USER_AGENT": "\t agent ",
        "HTTP_COOKIE": "a=1; b=2",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": object(),
    }

    assert wsgi.headers_of(environ) == {
        "user-agent": "agent",
        "cookie": "a=1; b=2",
        "content-type": "application/json",
    }


def test_a_content_type_that_wsgiref_made_up_is_none() -> None:
    """wsgiref, on which Django's runserver stands, says text/plain of a request that has no body and no type."""
    environ = {"SERVER_SOFTWARE": "WSGIServer/0.2", "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": ""}

    assert wsgi.headers_of(environ) == {}
    assert wsgi.headers_of({**environ, "CONTENT_LENGTH": "0"}) == {"content-length": "0"}
    assert wsgi.headers_of({**environ, "CONTENT_LENGTH": "2"})["content-type"] == "text/plain"
    assert wsgi.headers_of({**environ, "SERVER_SOFTWARE": "gunicorn/23"})["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("environ", "peer"), [({"REMOTE_ADDR": "2001:db8::1"}, "2001:db8::1"), ({"REMOTE_ADDR": ""}, "unix"), ({}, None)]
)
def test_a_peer_without_an_address_is_a_unix_socket(environ: dict[str, str], peer: str | None) -> None:
    """An empty address means a Unix socket, a missing one that the server does not say."""
    assert wsgi.peer_of(environ) == peer


def test_a_request_holds_it_all() -> None:
    """Method, path, body, headers, peer and fault arrive where they belong."""
    environ = {"REQUEST_METHOD": "POST", "HTTP_HOST": "example.com", "REMOTE_ADDR": "192.0.2.1"}

    request = wsgi.request_of(environ, "/sign-in", b"{}", "broken")

    assert (request.method, request.path, request.body, request.fault) == ("POST", "/sign-in", b"{}", "broken")
    assert (request.headers, request.peer) == ({"host": "example.com"}, "192.0.2.1")


@given(size=st.integers(0, 3 * BODY_CAP), extra=st.binary(max_size=10), announced=st.booleans())
def test_never_more_is_read_than_is_announced_or_allowed(size: int, extra: bytes, announced: bool) -> None:
    """What follows a body on the connection stays there, and the cap holds to the byte."""
    stream = io.BytesIO(b"x" * size + (extra if announced else b""))
    environ = {"CONTENT_LENGTH": str(size)} if announced else {"wsgi.input_terminated": True}

    body, fault = wsgi.read_body(environ, stream.read)

    assert (len(body), fault) == ((size, None) if size <= BODY_CAP else (0, "too_large"))
    assert stream.tell() <= min(size, BODY_CAP + 1)


@given(size=st.integers(1, 2000), missing=st.integers(1, 2000))
def test_a_short_body_is_broken(size: int, missing: int) -> None:
    """Fewer bytes than announced are no body at all."""
    environ = {"CONTENT_LENGTH": str(size + missing)}

    assert wsgi.read_body(environ, io.BytesIO(b"x" * size).read) == (b"", "broken")


@pytest.mark.parametrize("length", ["-1", "+5", "1_0", "٣", "abc", " 5", "5\n", "9" * 19, "9" * 5000])
def test_a_length_that_is_no_number_is_broken(length: str) -> None:
    """Nothing is read where the length cannot be believed."""
    assert wsgi.read_body({"CONTENT_LENGTH": length}, io.BytesIO(b"x" * 100).read) == (b"", "broken")
