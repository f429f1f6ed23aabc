"""Every way in and back on the demo's pages, in each framework: links, codes, resets, changes, guests, leaving."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import (
    OTHER_PASSWORD,
    PASSWORD,
    enter_code,
    mail,
    member,
    refused_sign_in,
    sign_in,
    sign_in_elsewhere,
    signed_out,
    somebody,
    sound,
)
from serving import Demo
from webdriver import Browser

LANDINGS = (
    "/magic-link",
    "/password/reset",
    "/email/verify",
    "/email/change",
    "/email/change/undo",
    "/unlock",
    "/me/deletion/confirm",
    "/me/deletion/cancel",
    "/invitations/accept",
)
HOSTILE = '<img src=x onerror="document.title=1"><b>Ada</b>'


# --- ways in ---


def test_a_link_signs_in_at_the_press_of_its_page_s_button(demo: Demo, page: Browser) -> None:
    """The mail's link leads to a page that takes the token out of the address bar, and signs in when it is pressed."""
    email = somebody()
    signed_out(demo, page, email)

    page.press("By a link in a mail")
    page.fill("E-mail address", email)
    page.press("Mail me a link")
    page.see("Enter the code", email, "The link in the same mail")
    sound(page)
    url = mail(demo, email, "magic_link")["url"]
    page.open(f"{demo.address}/mailbox")
    page.press("Open the link of Sign in to authcore demo")
    with page.other_window():
        page.see("Sign in")
        assert "token=" in url
        assert page.address() == f"{demo.address}/auth/magic-link"
        sound(page)
        page.press("Sign in")
        page.see("You are signed in.")
        sound(page)
        page.press("Continue")
        page.see("You are signed in", email, "email, level 1")
    page.open(url)
    page.press("Sign in")
    page.see("not valid")
    sound(page, refused=1)


def test_a_first_link_makes_an_account_that_sets_its_first_password(demo: Demo, phone: Browser) -> None:
    """Who has no account has one by the code of the mail, without a password, and sets one without an earlier one."""
    email = somebody()
    phone.open(f"{demo.address}/#link")
    phone.fill("E-mail address", email)
    phone.press("Mail me a link")
    enter_code(demo, phone, email)
    phone.see("You are signed in", email)

    phone.fill("New password", PASSWORD)
    phone.press("Change the password")
    phone.see("Your password is set.")
    phone.fill("New password", OTHER_PASSWORD)
    phone.press("Change the password")
    phone.see("Enter your current password.")

    assert list(phone.errors()) == ["Current password"]
    phone.press("Sign out")
    sign_in(phone, email)
    phone.see("You are signed in", "pwd")


def test_a_mailed_code_signs_in(demo: Demo, phone: Browser) -> None:
    """A wrong code is told beside its field, the right one opens, and another one may be had after a while."""
    email = somebody()
    signed_out(demo, phone, email)

    phone.press("By a code in a mail")
    phone.fill("E-mail address", email)
    phone.press("Mail me a code")
    phone.see("Enter the code", "Send another code in")
    code = mail(demo, email, "sign_in_code")["code"]
    phone.fill("Code", "000000" if code != "000000" else "000001")
    phone.press("Confirm")
    phone.see("not valid")
    assert list(phone.errors()) == ["Code"]
    phone.fill("Code", code)
    phone.press("Confirm")

    phone.see("You are signed in", "email, level 1")
    sound(phone, refused=1)


def test_a_text_message_signs_in(demo: Demo, phone: Browser) -> None:
    """The message stands in the mailbox with its code; a number without its country is told beside the field."""
    number = f"+4179{time.monotonic_ns() % 10_000_000:07d}"
    phone.open(f"{demo.address}/#sms")
    phone.fill("Mobile number", "12")
    phone.press("Text me a code")
    phone.see("This is no phone number")
    assert list(phone.errors()) == ["Mobile number"]
    phone.fill("Mobile number", number)
    phone.press("Text me a code")
    phone.see("Enter the code", number)
    enter_code(demo, phone, number)
    phone.see("You are signed in", "sms, level 1")
    sound(phone, refused=1)

    phone.open(f"{demo.address}/mailbox")
    phone.see("Text message", f"to {number}")
    sound(phone)


# --- a forgotten password ---


def test_a_reset_by_code(demo: Demo, phone: Browser) -> None:
    """The code is checked before a password is asked for; a weak one is told there, the right one signs in."""
    email = somebody()
    signed_out(demo, phone, email)

    phone.press("Forgot your password?")
    phone.fill("E-mail address", email)
    phone.press("Mail me a link and a code")
    phone.see("Enter the code")
    enter_code(demo, phone, email, "password_reset")
    phone.see("Choose another password")
    sound(phone)
    phone.fill("New password", "passwordpassword")
    phone.press("Save the password")
    phone.see("too common")
    assert list(phone.errors()) == ["New password"]
    phone.fill("New password", OTHER_PASSWORD)
    phone.press("Save the password")

    phone.see("Your password is replaced.", "You are signed in", email)
    phone.press("Sign out")
    sign_in(phone, email)
    phone.see("is not right.")
    sign_in(phone, email, OTHER_PASSWORD)
    phone.see("You are signed in")


def test_a_reset_by_link(demo: Demo, phone: Browser) -> None:
    """The link's page asks for a password, tells of a weak one, and says when it is done."""
    email = somebody()
    signed_out(demo, phone, email)
    phone.press("Forgot your password?")
    phone.fill("E-mail address", email)
    phone.press("Mail me a link and a code")
    phone.see("Enter the code")

    phone.open(mail(demo, email, "password_reset")["url"])
    phone.press("Save the password")
    phone.see("This field is required.")
    phone.fill("Password", "passwordpassword")
    phone.press("Save the password")
    phone.see("too common")
    sound(phone, refused=1)
    phone.fill("Password", OTHER_PASSWORD)
    phone.press("Save the password")
    phone.see("Your password is replaced.")
    sound(phone)

    phone.press("Continue")
    phone.see("You are signed in", email)


# --- changes ---


def test_a_changed_password_ends_the_other_sessions(demo: Demo, phone: Browser) -> None:
    """The current password is asked; the browser that changes it stays, another one is out."""
    email = somebody()
    member(demo, phone, email)
    sign_in_elsewhere(demo, email)
    phone.reload()
    phone.see("Firefox")

    phone.fill("Current password", "not this one at all")
    phone.fill("New password", OTHER_PASSWORD)
    phone.press("Change the password")
    phone.see("This is not your password.")
    assert list(phone.errors()) == ["Current password"]
    phone.fill("Current password", PASSWORD)
    phone.press("Change the password")

    phone.see("Your password is set.", "this one")
    phone.gone("Firefox")
    assert mail(demo, email, "notice_password")["subject"]
    sound(phone, refused=1)


def test_an_address_is_changed_by_code_and_taken_back_by_the_old_mailbox(demo: Demo, phone: Browser) -> None:
    """The new address proves itself by the code, the old one is told, and its link undoes the change."""
    old, new = somebody(), somebody()
    member(demo, phone, old)

    phone.fill("New e-mail address", "nobody")
    phone.press("Change the address")
    phone.see("This is no e-mail address.")
    phone.fill("New e-mail address", new)
    phone.press("Change the address")
    phone.see("Enter the code", new)
    enter_code(demo, phone, new, "email_change")
    phone.see("Your address is changed.", new)
    sound(phone, refused=1)

    phone.open(mail(demo, old, "email_changed")["url"])
    phone.press("Undo the change")
    phone.see("The account is yours again.")
    sound(phone)
    phone.press("Continue")
    phone.see("Already signed up?")
    phone.press("Sign in")
    phone.press("Forgot your password?")
    phone.fill("E-mail address", old)
    phone.press("Mail me a link and a code")
    phone.see("Enter the code")
    enter_code(demo, phone, old, "password_reset")
    phone.fill("New password", OTHER_PASSWORD)
    phone.press("Save the password")
    phone.see("You are signed in", old)


def test_a_change_asks_again_after_a_while_and_a_mailed_code_answers(demo: Demo, phone: Browser) -> None:
    """A sign-in that lies back is proven again by a mailed code, and the change that was asked goes on by itself."""
    old, new = somebody(), somebody()
    member(demo, phone, old)
    demo.age_sign_ins()

    phone.fill("New e-mail address", new)
    phone.press("Change the address")
    phone.see("Confirm that it is you")
    phone.press("Mail me a code instead")
    phone.see("A code is on its way")
    sound(phone, refused=1)
    enter_code(demo, phone, old, "reauthenticate")

    phone.see("Enter the code", new)


def test_a_profile_is_text(demo: Demo, phone: Browser) -> None:
    """Markup in a name is shown as it was written: on the phone, and in the designed mail, where no script runs."""
    email = somebody()
    member(demo, phone, email)

    phone.fill("Name", HOSTILE)
    phone.fill("Username", f"grace{time.monotonic_ns() % 10**9}")
    phone.press("Save the profile")
    phone.see("Your profile is saved.", HOSTILE)
    phone.press("Sign out")
    phone.press("By a link in a mail")
    phone.fill("E-mail address", email)
    phone.press("Mail me a link")
    code = mail(demo, email, "magic_link")["code"]
    phone.open(f"{demo.address}/mailbox")
    phone.press("The whole mail")

    with phone.frame("The mail “Sign in to authcore demo”"):
        phone.see(HOSTILE, code)
        phone.press("Sign in")
    with phone.other_window():
        phone.see("You followed a link that signs you in.")
    assert phone.title() == "Mailbox · authcore demo"
    sound(phone)


def test_the_mailbox_is_sifted_by_recipient(demo: Demo, desktop: Browser) -> None:
    """Each recipient's messages can be seen alone, and a mail as wide as a phone."""
    one, other = somebody(), somebody()
    signed_out(demo, desktop, one)
    signed_out(demo, desktop, other)

    desktop.open(f"{demo.address}/mailbox")
    desktop.see(f"to {one}", f"to {other}")
    desktop.choose("To", one)
    desktop.gone(f"to {other}")
    desktop.see(f"to {one}")
    desktop.press("The whole mail")
    wide = desktop.wait("return document.querySelector('iframe')?.offsetWidth")
    desktop.press("Phone")

    assert wide > 700
    assert desktop.run("return document.querySelector('iframe').offsetWidth") == 360
    sound(desktop)


# --- guests, and leaving ---


def test_a_guest_becomes_a_member(demo: Demo, phone: Browser) -> None:
    """A guest is told so, signs up, and is the same user with an address."""
    phone.open(f"{demo.address}/#sign-in")
    phone.press("Go on as a guest")
    phone.see("You are a guest", "Keep this account")
    sound(phone)
    guest = phone.run("return fetch('/auth/session').then((answer) => answer.json())")["user"]
    email = somebody()
    phone.press("Sign up")
    phone.fill("E-mail address", email)
    phone.fill("Password", PASSWORD)
    phone.press("Sign up")
    enter_code(demo, phone, email)

    phone.see("You are signed in", email)
    phone.gone("You are a guest")
    user = phone.run("return fetch('/auth/session').then((answer) => answer.json())")["user"]
    assert (guest["anonymous"], user["anonymous"], user["id"]) == (True, False, guest["id"])
    sound(phone)


def test_everything_that_is_stored_is_a_file(demo: Demo, phone: Browser, tmp_path: Path) -> None:
    """The export is JSON that names the user."""
    email = somebody()
    member(demo, phone, email)
    phone.keep_downloads(tmp_path)

    phone.press("Download my data")
    phone.see("Your data is in the file my-data.json.")

    file = tmp_path / "my-data.json"
    for _ in range(100):
        if file.is_file() and file.stat().st_size:
            break
        time.sleep(0.05)
    assert json.loads(file.read_text())["user"]["email"] == email


def test_an_account_is_left_and_kept(demo: Demo, phone: Browser) -> None:
    """A mailed code confirms that it goes, another one keeps it, and the password opens it as before."""
    email = somebody()
    member(demo, phone, email)

    phone.press("Delete my account")
    phone.see("Enter the code")
    enter_code(demo, phone, email, "deletion")
    phone.see("You are leaving", "Your account is deleted on", email)
    sound(phone)
    kept = mail(demo, email, "deletion_scheduled")
    phone.fill("Code", kept["code"])
    phone.press("Keep my account")
    phone.see("Your account stays")
    sign_in(phone, email)

    phone.see("You are signed in", email)
    sound(phone)


# --- a code at sign-in ---


@pytest.fixture
def strict_demo(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """Serve the demo with a code at every sign-in by password."""
    monkeypatch.setenv("EMAIL_CODE", "1")
    served = Demo(request.param, tmp_path)
    served.start()
    yield served
    served.end()


@pytest.mark.parametrize("strict_demo", ["flask", "fastapi"], indirect=True)
def test_a_remembered_browser_is_spared_the_code(strict_demo: Demo, phone: Browser) -> None:
    """The password alone does not do; where the browser is remembered, the next time it does."""
    email = somebody()
    signed_out(strict_demo, phone, email)

    sign_in(phone, email)
    phone.see("Enter the code", "Remember this browser for 30 days")
    sound(phone)
    phone.tick("Remember this browser for 30 days")
    enter_code(strict_demo, phone, email, "email_code")
    phone.see("You are signed in", "pwd + email")
    phone.press("Sign out")
    phone.see("You are signed out.")
    sign_in(phone, email)

    phone.see("You are signed in", email)
    sound(phone)


# --- every view at both widths ---


@pytest.mark.parametrize("own_demo", ["flask"], indirect=True)
def test_every_view_fits(own_demo: Demo, page: Browser) -> None:
    """On a phone and on a desktop nothing is wider than the window, whatever is seen: pages, landings, mailbox."""
    email = somebody()
    for view in ("sign-in", "sign-up", "link", "mail-code", "sms", "forgot"):
        page.open(f"{own_demo.address}/#{view}")
        page.see("Mailbox", "A guarded route")
        sound(page)
    member(own_demo, page, f"{'a' * 40}-{email}")
    page.see("this one")
    sound(page)
    page.press("Sign out")
    page.see("You are signed out.")
    for path in LANDINGS:
        page.open(f"{own_demo.address}/auth{path}#token={'x' * 60}")
        page.see("authcore demo")
        page.press(page.buttons()[0])
        page.match("not valid|required|not signed in|Sign in")
        assert page.overflow() == 0
        assert page.unnamed() == []
        page.open(f"{own_demo.address}/auth{path}")
        page.see("This link is not whole.")
        assert page.overflow() == 0


# --- limits ---


def test_a_limit_is_told_in_a_sentence(demo: Demo, phone: Browser) -> None:
    """Past the allowance the page says when it goes on."""
    email = somebody()
    signed_out(demo, phone, email)

    for _ in range(10):
        assert refused_sign_in(demo, email) in (401, 429)
    sign_in(phone, email, "not this one at all")

    phone.see("Wait a while. It goes on in")
    sound(phone, refused=1)
