"""Sources: where blobs come from, one file a kind."""
