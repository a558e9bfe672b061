"""GGUF files: a bounded parser, the facts that matter, and what a model needs in memory."""
