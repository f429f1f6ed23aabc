"""Every limit as one table of named values (rule A6). `docs/limits.md` is written from it.

An allowance is chosen so that a person never meets it, and a guesser is held by several of them at once.
"""

from __future__ import annotations

from typing import Literal

from authcore.values import Value

By = Literal["account_address", "account", "address", "number", "country", "share", "everyone"]
Past = Literal["refuses", "withholds", "slows", "overloaded"]
SHARES = 16
"""Into so many shares the clients fall that a bucket of all of them is counted in: no one row takes every write."""
STEPS = 12
"""In so many steps those windows slide that say when a person may try, or have another mail."""
MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


class Bucket(Value, frozen=True):
    """`allowance` hits in `window` seconds of what `counts` says, counted for each of what `by` names.

    What is past the allowance is refused with 429, is withheld (the answer stays, nothing is sent), is slowed
    down (each next try waits longer), or is answered 503 like any other overload.
    """

    name: str
    allowance: int
    window: int  # seconds
    by: By
    counts: str
    why: str
    past: Past = "refuses"

    @property
    def steps(self) -> int:
        """Answer how finely the window slides: to the second where a person waits for it, cheaply where nobody does."""
        return STEPS if self.past == "withholds" or self.name == "sign_in.account_address" else 1


_SIGN_IN = (
    Bucket(
        "sign_in.account_address",
        10,
        MINUTE,
        "account_address",
        "sign-ins by password",
        "a person mistypes a few times; a success clears it",
    ),
    Bucket(
        "sign_in_row.account_address",
        10,
        DAY,
        "account_address",
        "sign-ins by password in a row, without a success",
        "the next try waits 1, 2, 4 … s, at most 15 minutes; a success clears it",
        "slows",
    ),
    Bucket(
        "sign_in.account",
        100,
        HOUR,
        "account",
        "sign-ins by password, from everywhere",
        "many addresses together guess no faster; the first tries of each address are let past",
    ),
    Bucket(
        "sign_in_first.account_address",
        5,
        HOUR,
        "account_address",
        "sign-ins by password; refuses only while the account's own bucket is full",
        "strangers who fill the account's bucket leave its owner five tries at each address",
    ),
    Bucket(
        "sign_in.address", 200, 10 * MINUTE, "address", "sign-ins by password", "one password tried on many accounts"
    ),
    Bucket(
        "hash.share",
        240,
        MINUTE,
        "share",
        "passwords that clients who are not signed in let the server hash",
        "16 shares: all strangers together cause 64 hashes a second, two processors' work at 32 MiB and 2 passes",
        "overloaded",
    ),
    Bucket(
        "reauthenticate.account", 20, 10 * MINUTE, "account", "proofs by who is signed in", "a stolen session guesses"
    ),
    Bucket("refresh.address", 600, MINUTE, "address", "refreshes", "an office behind one address refreshes often"),
    Bucket(
        "unlock.account",
        1,
        6 * HOUR,
        "account",
        "mails with an unlock link, while a password rests",
        "whoever keeps guessing fills no mailbox",
        "withholds",
    ),
)
_CODES = (
    Bucket(
        "code.account_address",
        20,
        HOUR,
        "account_address",
        "attempts at codes, by purpose, across challenges",
        "asking for another code buys no more guesses",
    ),
    Bucket(
        "code.account",
        500,
        HOUR,
        "account",
        "attempts at codes, by purpose, from everywhere",
        "six digits are hit once in 2,000 hours",
    ),
    Bucket(
        "code.address",
        100,
        10 * MINUTE,
        "address",
        "attempts at codes",
        "one client guesses for many accounts",
    ),
    Bucket("resend.address", 30, 10 * MINUTE, "address", "requests to send again", "load"),
    Bucket(
        "link.address", 60, 10 * MINUTE, "address", "attempts at links and tokens", "256 bits are not guessed: load"
    ),
)
_MAILS = (
    Bucket("sign_up.address", 30, HOUR, "address", "sign-ups", "a classroom signs up; a script does not"),
    Bucket(
        "sign_up.account",
        10,
        HOUR,
        "account",
        "sign-ups for one mailbox",
        "mails that strangers can cause to a mailbox",
    ),
    Bucket("reset.address", 30, 10 * MINUTE, "address", "requests for a password reset", "load"),
    Bucket(
        "reset.account",
        3,
        HOUR,
        "account",
        "mails with a password reset",
        "the answer tells nothing, and no mailbox is flooded",
        "withholds",
    ),
    Bucket("verification.address", 30, 10 * MINUTE, "address", "requests to verify an address", "load"),
    Bucket(
        "verification.account",
        3,
        HOUR,
        "account",
        "mails that verify an address",
        "who is signed in may be told, and no mailbox is flooded",
    ),
    Bucket("mail_sign_in.address", 30, 10 * MINUTE, "address", "requests for a sign-in link or code", "load"),
    Bucket(
        "mail_sign_in.account_address",
        5,
        HOUR,
        "account_address",
        "mails with a sign-in link or code that one client asks for",
        "a stranger who asks on leaves the owner's own share untouched",
        "withholds",
    ),
    Bucket(
        "mail_sign_in.account",
        20,
        HOUR,
        "account",
        "mails with a sign-in link or code",
        "the answer tells nothing, and no mailbox is flooded; what is past a client's own share is not counted here",
        "withholds",
    ),
    Bucket("invitation.sender.account", 100, DAY, "account", "invitations by one user", "no relay for unasked mail"),
    Bucket(
        "invitation.account",
        5,
        DAY,
        "account",
        "invitations to one mailbox or number",
        "many users together flood nobody",
        "withholds",
    ),
)
_ACCOUNT = (
    Bucket("password_change.account", 10, HOUR, "account", "changes of a password", "a stolen session guesses"),
    Bucket("email_change.account", 5, HOUR, "account", "changes of an e-mail address", "mails to addresses not proven"),
    Bucket(
        "email_change.recipient.account",
        5,
        HOUR,
        "account",
        "mails to one address that somebody wants to change to",
        "many users together flood nobody",
        "withholds",
    ),
    Bucket(
        "username_change.account", 10, DAY, "account", "changes of a username", "names are not tried out one by one"
    ),
    Bucket("deletion.account", 5, HOUR, "account", "requests to delete an account", "mails to its owner"),
    Bucket("export.account", 5, DAY, "account", "exports of personal data", "each reads every table"),
    Bucket("anonymous.address", 60, HOUR, "address", "users made without an account", "each is a row that stays"),
)
_SMS = (
    Bucket("sms.number", 3, HOUR, "number", "messages to one number", "each costs money", "withholds"),
    Bucket("sms_day.number", 10, DAY, "number", "messages to one number in a day", "each costs money", "withholds"),
    Bucket("sms.address", 10, HOUR, "address", "requests that send a message", "each costs money"),
    Bucket(
        "sms.country",
        200,
        DAY,
        "country",
        "messages to one country's numbers",
        "paid numbers of one country are what toll fraud calls",
        "withholds",
    ),
    Bucket("sms.everyone", 1000, DAY, "everyone", "messages in all", "what a day may cost at the most", "withholds"),
)

BUCKETS: dict[str, Bucket] = {
    bucket.name: bucket for part in (_SIGN_IN, _CODES, _MAILS, _ACCOUNT, _SMS) for bucket in part
}
