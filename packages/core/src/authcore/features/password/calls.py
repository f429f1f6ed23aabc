"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.password import changing, flow, judging, renewing, unlocking


class PasswordCalls(Calls[M]):
    """`auth.blocking.password` and `auth.asyncio.password`."""

    sign_up = call(flow.sign_up)
    verify_sign_up = call(flow.verify_sign_up)
    resend_sign_up = call(flow.resend_sign_up)
    sign_in = call(flow.sign_in)
    answer_new_password = call(renewing.answer_new_password)
    update_password = call(changing.update_password)
    verify_password_change = call(changing.verify_password_change)
    set_password = call(changing.set_password)
    change_password = call(changing.change_password)
    policy = call(judging.policy)
    strength = call(judging.strength)
    unlock = call(unlocking.unlock)
    unlock_by_link = call(unlocking.unlock_by_link)
