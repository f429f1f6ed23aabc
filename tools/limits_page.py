"""Write docs/limits.md from limits_page.md and the table of buckets; `--check` exits 1 if the page differs."""

from __future__ import annotations

import sys
from pathlib import Path

from authcore.services.address import SHARED_FACTOR
from authcore.services.buckets import BUCKETS, MINUTE, SHARES, Bucket
from authcore.services.limits import LONGEST_PAUSE

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
TEXT = Path(__file__).with_suffix(".md")
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_PAST = {
    "refuses": "429 `rate_limited`",
    "withholds": "the same answer, nothing is sent",
    "slows": "the next try waits",
    "overloaded": "503 `overloaded`",
}
_BY = {
    "account_address": "account with address",
    "account": "account",
    "address": "address",
    "number": "number",
    "country": "country code",
    "share": "share",
    "everyone": "everyone",
}


def span(seconds: int) -> str:
    """Answer a time in words."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"1 {unit}" if number == 1 else f"{number} {unit}s"


def row(bucket: Bucket) -> str:
    """Answer a bucket as a row of the table."""
    cells = (
        f"`{bucket.name}`",
        f"{bucket.allowance} in {span(bucket.window)}",
        _BY[bucket.by],
        bucket.counts,
        _PAST[bucket.past],
        bucket.why,
    )
    return f"| {' | '.join(cells)} |\n"


def page() -> str:
    """Answer the page's text."""
    values = {
        "ROWS": "".join(row(bucket) for bucket in BUCKETS.values()),
        "SHARED_FACTOR": str(SHARED_FACTOR),
        "SHARES": str(SHARES),
        "LONGEST": f"{LONGEST_PAUSE // MINUTE} minutes",
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
