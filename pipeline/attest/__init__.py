"""Signed statements on a lock: where it comes from, what the gate said of it, which bytes it means."""
