"""Verifiable instructions: what an answer must be like, each judged by code. Names and arguments are those of IFEval."""
