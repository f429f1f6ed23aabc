"""What the tables say of themselves: which columns are about a person, for export and erasure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Table

from authcore import Audit, Auth, Password, Sessions
from authcore.tables import IDENTIFIER, PERSONAL, shipped

PERSON = {
    "address": "ada.lovelace@example.org",
    "name": "Ada Augusta King",
    "agent": "Difference Engine/7",
    "device": "brass-and-oak-1843",
    "label": "The engine in the study",
    "ip": "203.0.113.7",
}
TABLES = sorted(shipped().tables.values(), key=lambda table: table.name)


def personal(column: Column[Any]) -> bool:
    """Tell whether a column is declared to be about a person."""
    return bool(column.info.get("personal"))


@pytest.fixture
def rows(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> tuple[dict[str, list[Any]], str]:
    """The rows of every table after a life full of personal data, and the user's id."""
    made = auth(Password(), Sessions(cookie_refresh=True), Audit(ip="full"))
    known = {"user_agent": PERSON["agent"]}
    device = {"device_id": PERSON["device"], "device_name": PERSON["label"]}
    for browser in (True, False):
        visitor = client(made, browser=browser)
        whole = {"email": PERSON["address"], "password": "three quiet herons wade"}
        begun = visitor.post("/sign-up", {**whole, "display_name": PERSON["name"]}, **known).json["challenge"]["id"]
        answer = {"challenge_id": begun, "code": visitor.mailed_code() if browser else "000000"}
        visitor.post("/sign-up/verify", {**answer, **device}, **known)
        visitor.post("/sign-in", {**whole, "password": "four loud herons wade"}, **known)
        signed_in = visitor.post("/sign-in", {**whole, **device}, **known).json
        token = {} if browser else {"bearer": signed_in["access_token"]}
        visitor.post("/reauthenticate", {}, **known, **token)
        visitor.post("/refresh", {"refresh_token": signed_in["refresh_token"]} if token else {}, **known)
    return {table.name: inside(made).rows(table) for table in TABLES}, signed_in["user"]["id"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_column_that_is_not_declared_tells_of_a_person(rows: tuple[dict[str, list[Any]], str], table: Table) -> None:
    """Wherever an address, a name, a device, a browser or a user's id is stored, the column is declared personal."""
    found, user_id = rows
    about = {**PERSON, "user": user_id}
    # The id of a user is the key of its own row: nothing there is left once the row is gone.
    silent = [
        column for column in table.c if not personal(column) and f"{table.name}.{column.name}" != "authcore_user.id"
    ]

    told = {
        (column.name, what)
        for row in found[table.name]
        for column in silent
        for what, value in about.items()
        if value in _text(row._mapping[column.name])
    }

    assert told == set()


def test_the_life_left_personal_data_in_many_tables(rows: tuple[dict[str, list[Any]], str]) -> None:
    """The search itself works: each thing about the person is found in some column that is declared."""
    found, user_id = rows
    declared = [
        _text(row._mapping[column.name])
        for table in TABLES
        for row in found[table.name]
        for column in table.c
        if personal(column)
    ]

    assert {what for what, value in PERSON.items() if any(value in text for text in declared)} == set(PERSON)
    assert any(user_id in text for text in declared)
    assert {table.name for table in TABLES if found[table.name]} >= {
        "authcore_access",
        "authcore_challenge",
        "authcore_effect",
        "authcore_event",
        "authcore_identity",
        "authcore_password",
        "authcore_refresh",
        "authcore_session",
        "authcore_user",
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_declaration_is_yes_or_left_out(table: Table) -> None:
    """`info=PERSONAL` and `IDENTIFIER` are the ways to declare; nothing else is there that export could misread."""
    assert all(column.info in ({}, PERSONAL, IDENTIFIER) for column in table.c)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
