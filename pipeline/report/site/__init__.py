"""The pages beside those of the models: the catalog, machines, comparisons, and items of large suites."""
