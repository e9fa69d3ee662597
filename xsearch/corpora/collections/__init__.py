"""Which files make a collection: descriptions in TOML, the parsers that formats do not cover, and how to get what is missing."""

from xsearch.corpora.collections.collection import Collection
from xsearch.corpora.collections.known import collection, known_collections

__all__ = ["Collection", "collection", "known_collections"]
