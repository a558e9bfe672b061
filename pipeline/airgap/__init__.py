"""Across an air gap: models with all that belongs to them, as files that can be carried, checked and taken in."""
