"""The room's flows as Python calls."""

from __future__ import annotations

from authcore.calls import Calls, M, call
from authcore.features.email_verification import flow


class EmailVerificationCalls(Calls[M]):
    """`auth.blocking.email_verification` and `auth.asyncio.email_verification`."""

    confirm = call(flow.confirm)
    has_verified_email = call(flow.has_verified_email)
    mark_email_as_verified = call(flow.mark_email_as_verified)
    resend_verification = call(flow.resend_verification)
    send = call(flow.send)
    send_verification = call(flow.send_verification)
    verification_url = call(flow.verification_url)
    verify = call(flow.verify)
    verify_email = call(flow.verify_email)
