"""Thin retrievers for RAG frameworks over an open `Index`."""
