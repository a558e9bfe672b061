"""The store: verified blobs under their digests, and nothing else."""
