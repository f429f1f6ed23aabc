"""Rule A5: what is taken as an address is one address, for authcore and for whoever reads its mails."""

from __future__ import annotations

import email
from email import policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authcore.backends.mail import SmtpMailer
from authcore.errors import InvalidFields
from authcore.ports import Mail
from authcore.services.accounts import canonical_email

ATOMS = st.lists(st.text(st.sampled_from("azAZ09!#$%&'*+/=?^_`{|}~-"), min_size=1, max_size=12), min_size=1, max_size=5)
STRANGE = st.text(st.sampled_from('az=?.,;:<>()[]\\" @'), min_size=1, max_size=12)
ENCODED = st.builds(
    "{}=?{}?{}?{}?={}".format,
    *(st.sampled_from(["", "a", "a."]), st.sampled_from(["utf-8", "us-ascii"]), st.sampled_from("qbQB")),
    *(st.text(st.sampled_from("az=409e2c_"), max_size=20), st.sampled_from(["", "b", ".b"])),
)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=2, max_size=8).map(".".join)


@given(ATOMS.map(".".join) | ENCODED | STRANGE, DOMAINS)
@example("a+b=c'd", "example.com")
@example("=?utf-8?q?eve=40evil.example=2c?=", "example.com")
@example("a" * 64, ".".join(["b" * 60] * 3) + ".example")
def test_an_accepted_address_is_one_recipient(local: str, domain: str) -> None:
    """A5: the `To` of a mail to any accepted address, as it travels, is read back as exactly that one address."""
    try:
        address = canonical_email(f"{local}@{domain}")
    except InvalidFields:
        return

    read = email.message_from_bytes(bytes(_message(address)), policy=policy.default)["To"].addresses

    assert [(one.addr_spec, one.display_name) for one in read] == [(address, "")]


def _message(address: str) -> bytes:
    texts = {"subject": "s", "text": "t", "html": "", "sender": "shop@example.com"}
    mail = Mail(kind="sign_up", to=address, key="k", template="auth-sign-up", **texts)
    return SmtpMailer(host="mail.example", security="none").message(mail).as_bytes()


@pytest.mark.parametrize("local", ["a+b", "o'hara", "a=b", "a?b", "who=is?this", "a?=b", "{x}|~!#$%&*/^_`-"])
def test_signs_of_a_dot_atom_are_taken(local: str) -> None:
    """RFC 5322 3.2.3: what means nothing but itself may stand before the @."""
    assert canonical_email(f"{local}@example.com") == f"{local}@example.com"


@pytest.mark.parametrize("local", ["=?utf-8?q?x?=", "a=?", "=?", "a.=?b"])
def test_what_begins_an_encoded_word_is_refused(local: str) -> None:
    """RFC 2047 2: mail programs decode what begins by `=?`, so it may become another address."""
    with pytest.raises(InvalidFields):
        canonical_email(f"{local}@example.com")
