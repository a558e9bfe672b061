"""Evals: the quality of a model, as numbers with intervals, item by item."""
