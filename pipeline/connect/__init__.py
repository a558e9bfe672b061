"""Configurations of programs that talk to a served model: one module for each client."""
