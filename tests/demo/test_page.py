"""The demo's pages in a real browser, in each framework, on a phone and on a desktop."""

from __future__ import annotations

import secrets

from people import PASSWORD, post, read_code, read_code_by_shell, sign_in_elsewhere, sign_up, somebody, sound
from serving import Demo
from webdriver import Browser

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff" * 3


def test_a_person_goes_through_all_of_it(demo: Demo, page: Browser) -> None:
    """Sign up, read the mail, enter the code, open the guarded route, end another session, sign out."""
    email = somebody()
    page.open(demo.address)
    page.press("Say hello")
    page.see("401", "not_authenticated")
    assert ["401" in line for line in page.console()] == [True]
    sound(page)

    sign_up(page, email)
    page.press("Open the mailbox")
    with page.other_window():
        code = read_code(page, email)
        page.press("The whole mail")
        page.press("As text")
        page.see(f"{code} is your code")
        sound(page)
    page.fill("Code", code)
    page.press("Confirm")
    page.see("You are signed in", "Your address is confirmed", email)
    sound(page)

    page.press("Say hello")
    page.see(f'200 {{"hello":"{email}"}}')
    readable = "document.cookie + JSON.stringify([sessionStorage, localStorage]) + document.documentElement.outerHTML"
    assert "ac1_" not in page.run(f"return {readable}")
    assert {cookie["httpOnly"] for cookie in page.cookies()} == {True}

    sign_in_elsewhere(demo, email)
    page.reload()
    page.see("this one", "Firefox")
    sound(page)
    page.press("End the session of Firefox")
    page.see("One session ended.")
    page.gone("Firefox")

    page.press("Sign out")
    page.see("You are signed out.", "Sign in")
    sound(page)
    page.fill("E-mail address", email)
    page.fill("Password", PASSWORD)
    page.press("Sign in")
    page.see("You are signed in")
    page.press("End all, and sign out")
    page.see("You are signed out.")
    sound(page)


def test_mistakes_are_told_where_they_are(demo: Demo, page: Browser) -> None:
    """An empty field, a wrong address, a weak password, a wrong code and a wrong sign-in each say what is wrong."""
    email = somebody()
    page.open(demo.address)
    page.press("Sign up")
    page.see("This field is required.")
    page.fill("E-mail address", "nobody")
    page.fill("Password", PASSWORD)
    page.press("Sign up")
    page.see("This is no e-mail address.")
    assert page.errors() == {"E-mail address": "This is no e-mail address."}
    sound(page, refused=1)
    page.fill("E-mail address", email)
    page.fill("Password", "passwordpassword")
    page.press("Sign up")
    page.see("This password is too common.")
    assert list(page.errors()) == ["Password"]
    sound(page, refused=1)

    sign_up(page, email)
    code = read_code_by_shell(demo, email)
    page.fill("Code", "000000" if code != "000000" else "000001")
    page.press("Confirm")
    page.see("The code or link is not valid.")
    sound(page, refused=1)
    page.fill("Code", f" {code[:3]} {code[3:]}")
    page.press("Confirm")
    page.see("You are signed in")

    page.press("Sign out")
    page.fill("E-mail address", email)
    page.fill("Password", "not this one at all")
    page.press("Sign in")
    page.see("The e-mail address or the password is not right.")
    sound(page, refused=1)


def test_long_content_fits(demo: Demo, page: Browser) -> None:
    """A long address and a long name without a space widen neither the page nor the mailbox."""
    email = f"{'a' * 40}-{secrets.token_hex(4)}@{'sub.' * 20}example.com"
    page.open(demo.address)
    page.fill("Name (optional)", LONG_NAME)
    sign_up(page, email)
    sound(page)
    page.open(f"{demo.address}/mailbox")
    code = read_code(page, email)
    page.press("The whole mail")
    sound(page)
    page.open(f"{demo.address}/#code")
    page.fill("Code", code)
    page.press("Confirm")
    page.see("You are signed in", LONG_NAME)
    page.press("Say hello")
    page.see('{"hello"')
    sound(page)


def test_a_session_that_was_ended_elsewhere_is_over(demo: Demo, phone: Browser, desktop: Browser) -> None:
    """What one browser ends is signed out in the other, which says so."""
    email = somebody()
    phone.open(demo.address)
    sign_up(phone, email)
    phone.fill("Code", read_code_by_shell(demo, email))
    phone.press("Confirm")
    phone.see("You are signed in")
    desktop.open(f"{demo.address}/#sign-in")
    desktop.fill("E-mail address", email)
    desktop.fill("Password", PASSWORD)
    desktop.press("Sign in")
    desktop.see("You are signed in", "End all others")

    desktop.press("End all others")
    desktop.see("One session ended.")

    phone.press("Say hello")
    phone.see("401", "not_authenticated")
    phone.reload()
    phone.see("No account yet?")
    desktop.press("Say hello")
    desktop.see("200", email)
    sound(desktop)


def test_ending_a_session_asks_for_the_password_after_a_while(demo: Demo, phone: Browser) -> None:
    """A session whose sign-in lies back asks first; a wrong password is told there, and the right one goes on."""
    email = somebody()
    phone.open(demo.address)
    sign_up(phone, email)
    phone.fill("Code", read_code_by_shell(demo, email))
    phone.press("Confirm")
    phone.see("You are signed in")
    sign_in_elsewhere(demo, email)
    demo.age_sign_ins()
    phone.reload()

    phone.press("End the session of Firefox")
    phone.see("Confirm that it is you")
    phone.fill("Password", "not this one at all")
    phone.press("Confirm")
    phone.see("not right")
    assert list(phone.errors()) == ["Password"]
    assert "Firefox" in phone.text()
    sound(phone, refused=2)
    phone.fill("Password", PASSWORD)
    phone.press("Confirm")

    phone.see("One session ended.")
    phone.gone("Firefox")
    sound(phone)


def test_the_mailbox_is_empty_at_first(own_demo: Demo, page: Browser) -> None:
    """Before the first mail the mailbox says where one would come from, and shows it once it is there."""
    page.open(f"{own_demo.address}/mailbox")
    page.see("No mail yet.")
    sound(page)

    email = somebody()
    post(own_demo, "/auth/sign-up", {"email": email, "password": PASSWORD})

    page.see(email)
    page.gone("No mail yet.")
    page.press("Copy the code")
    sound(page)


def test_the_pages_load_nothing_from_elsewhere(demo: Demo, desktop: Browser) -> None:
    """Every file comes from the demo, and a policy forbids all others and whatever stands inline."""
    for path in ("/", "/mailbox"):
        desktop.open(demo.address + path)
        desktop.see("authcore demo")

        loaded = desktop.run("return performance.getEntriesByType('resource').map((one) => one.name)")
        policy = desktop.run("return document.querySelector('meta[http-equiv=Content-Security-Policy]').content")
        assert loaded
        assert all(name.startswith(f"{demo.address}/") for name in loaded)
        assert policy.startswith("default-src 'self';")
        assert desktop.run("return document.querySelectorAll('style, [style], script:not([src])').length") == 0


def test_a_restart_keeps_everything(own_demo: Demo, phone: Browser) -> None:
    """Killed while a code is awaited and again while somebody is signed in, it goes on where it was."""
    email = somebody()
    phone.open(own_demo.address)
    sign_up(phone, email)
    code = read_code_by_shell(own_demo, email)
    port = own_demo.port

    own_demo.kill()
    phone.fill("Code", code)
    phone.press("Confirm")
    phone.see("The server cannot be reached.")
    own_demo.start(port)
    phone.press("Confirm")
    phone.see("You are signed in")

    own_demo.kill()
    phone.press("Say hello")
    phone.see("The server cannot be reached.")
    own_demo.start(port)
    phone.press("Say hello")
    phone.see("200", email)
    phone.reload()
    phone.see("You are signed in", "this one")
    phone.press("Mailbox")
    assert read_code(phone, email) == code
