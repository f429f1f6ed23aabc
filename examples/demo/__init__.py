"""What the four example applications share: the page, the mailbox and the command that serves them."""

from pathlib import Path

PAGES = Path(__file__).parent / "static"
"""The folder of the page's files."""
