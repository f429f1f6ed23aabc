"""Formats of other systems: their digests are checked, so that nobody needs a reset, and never made."""
