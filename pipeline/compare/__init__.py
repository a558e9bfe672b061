"""Comparing two models by the same items: what changed, which way, and whether that can be chance."""
