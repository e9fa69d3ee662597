"""Ranking → Ranking: fusion, passages → documents, snippets."""
