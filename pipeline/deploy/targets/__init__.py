"""Where a model is deployed: one module for each kind of place, found by looking."""
