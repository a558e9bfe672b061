"""The kinds of eval, one module each: drop a module in here and suites can name it."""
