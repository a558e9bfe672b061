"""What the engine says of a model, gathered once for all rules that ask: never needs the weights."""
