"""Which files make a collection: descriptions, parsers of forms of their own, and how to get what is missing."""

from xsearch.corpora.collections.collection import Collection
from xsearch.corpora.collections.known import AnyCollection, collection, known_collections

__all__ = ["AnyCollection", "Collection", "collection", "known_collections"]
