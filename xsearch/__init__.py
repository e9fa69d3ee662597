"""xsearch: ask in one language, find what was written in another."""

__version__ = "0.1.0"
