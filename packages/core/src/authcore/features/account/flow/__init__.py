"""The room's flows, by what they are about."""
