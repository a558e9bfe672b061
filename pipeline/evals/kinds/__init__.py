"""Eval kinds, one file each; ``_base`` says what a kind is."""
