"""Checks: behaviour through the very ``llama-server`` that users will call."""
