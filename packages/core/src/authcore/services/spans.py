"""A span of time in words: how long a code or a link is valid."""

from __future__ import annotations

from gettext import NullTranslations


def span(seconds: float, words: NullTranslations) -> str:
    """Answer "10 minutes", "24 hours" or "7 days" in the language of `words`, never less than a minute."""
    minutes = max(1, round(seconds / 60))
    # A mail is rendered moments after it was decided: 59 minutes of an hour are an hour.
    hours, rest = divmod(minutes + 1, 60)
    if hours == 0 or (hours < 3 and rest > 2):
        return words.ngettext("%(num)d minute", "%(num)d minutes", minutes) % {"num": minutes}
    days = (hours + 1) // 24
    if hours < 47:
        return words.ngettext("%(num)d hour", "%(num)d hours", hours) % {"num": hours}
    return words.ngettext("%(num)d day", "%(num)d days", days) % {"num": days}
