"""Specs: what a user asks for, in YAML."""
