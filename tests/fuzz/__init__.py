"""Hostile input: bytes and templates that chance makes, by hypothesis within the tests and by atheris for as long as wanted."""
