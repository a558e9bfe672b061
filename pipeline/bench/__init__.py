"""Benchmarks on this hardware, in two layers: the engine alone, and the service as a user meets it."""
