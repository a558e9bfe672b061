"""The gate: results and policy in, a decision with reasons out."""
