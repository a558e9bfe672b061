"""Lint: what can be known of a model from its file and its spec, before an engine starts."""
