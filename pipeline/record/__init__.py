"""The record: every result in DuckDB, with what is needed to make it again."""
