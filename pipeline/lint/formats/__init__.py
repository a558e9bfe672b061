"""How findings are told to other programs: a module each, discovered."""
