"""How a file is parsed: one format a module."""
