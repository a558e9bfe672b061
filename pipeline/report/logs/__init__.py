"""Logs of single items, for other tools: one module for each format."""
