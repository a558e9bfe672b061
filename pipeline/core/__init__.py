"""What every stage stands on: errors, digests, canonical JSON, files, processes, the host, discovery of kinds, progress."""
