"""What a locked model looks like to other tools: one module for each format."""
