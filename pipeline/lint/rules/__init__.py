"""Lint rules, one file each; ``_base`` says what a rule is."""
