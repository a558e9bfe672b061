"""Assay pins local LLMs by digest, tests exactly what it pins, and serves exactly what it tested."""

__version__ = "0.1.0"
