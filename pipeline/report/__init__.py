"""Reports: one result, as HTML, Markdown or JSON."""
