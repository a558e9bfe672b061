"""Locks: what a spec came to, pinned by digest."""
