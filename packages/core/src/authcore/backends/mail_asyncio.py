"""A mailer by SMTP for asyncio; it needs `pip install authcore[smtp]`."""

from __future__ import annotations

from dataclasses import dataclass

from authcore.backends.mail import SmtpMailer, bare_address
from authcore.errors import ConfigurationError
from authcore.ports import Mail


@dataclass(frozen=True)
class AsyncSmtpMailer(SmtpMailer):
    """Send by a server as an `SmtpMailer` does, with its settings, without blocking a loop."""

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a setting that cannot work, or where aiosmtplib is missing."""
        super().__post_init__()
        try:
            import aiosmtplib  # noqa: F401
        except ImportError:
            raise ConfigurationError("AsyncSmtpMailer needs aiosmtplib: pip install authcore[smtp].") from None

    async def send(self, mail: Mail) -> None:  # type: ignore[override]
        """Send one mail; raise what aiosmtplib raises, or ValueError for an address that is none."""
        import aiosmtplib

        await aiosmtplib.send(
            self.message(mail),
            # Named here: what looks encoded in an address is nobody else's (RFC 2047 5).
            sender=bare_address(mail.sender),
            recipients=[mail.to],
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            timeout=self.timeout,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=None if self.security == "none" else self.tls(),
        )
