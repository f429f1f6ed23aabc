"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.account.flow import emails, exporting, invitations, leaving, phone, profile


class AccountCalls(Calls[M]):
    """`auth.blocking.account` and `auth.asyncio.account`.

    `invite`, `export` and `withdraw_deletion` are for server code: who may make them is the caller's to say. The others
    act for the session of a request, given by `on(request)`.
    """

    update = call(profile.update)
    list_emails = call(emails.list_emails)
    add_email = call(emails.add)
    confirm_email = call(emails.confirm)
    make_primary = call(emails.make_primary)
    remove_email = call(emails.remove)
    set_phone = call(phone.change)
    confirm_phone = call(phone.confirm)
    remove_phone = call(phone.remove)
    invite = call(invitations.invite)
    invite_as_member = call(invitations.invite_as_member)
    accept_invitation = call(invitations.accept)
    request_deletion = call(leaving.request)
    confirm_deletion = call(leaving.confirm)
    cancel_deletion = call(leaving.cancel)
    withdraw_deletion = call(leaving.withdraw)
    export = call(exporting.export)
    export_own = call(exporting.export_own)
