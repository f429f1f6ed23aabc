"""Credential stores: each implements the contract of `authcore.stores`."""
