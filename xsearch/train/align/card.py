"""The card of translation tables: what they are, what they were learnt from, and how good they are."""

from __future__ import annotations

import msgspec

from xsearch.encode import SourceNote


class TablesCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Translation tables, as their TOML file describes them.

    fingerprint: of the weights. base: name and fingerprint of the tables that these were built on, whose figures stand
    here for what was not learnt anew; learnt: the tables that were. pieces: of the vocabulary, which is that of
    `encoder`. files: the tables, relative to the card; bytes: their size. scores: means over all tables that were
    learnt. By table ("en-de"): sentence_pairs it was learnt from; entries; there and back, from its first language and
    into it, the share of sentences kept from training whose translation is found first among up to 300 by the table
    alone; word_there and word_back, of single pieces in rows of dictionaries kept from training, the share whose
    likeliest translation stands in the row. A table with entries and without a score could not be measured.
    """

    name: str
    kind: str
    licence: str
    fingerprint: str
    pieces: str
    encoder: str
    files: str
    bytes: int
    base: str = ""
    learnt: tuple[str, ...] = ()
    description: str = ""
    recipe: str = ""
    scores: dict[str, float] = {}
    there: dict[str, float] = {}
    back: dict[str, float] = {}
    word_there: dict[str, float] = {}
    word_back: dict[str, float] = {}
    sentence_pairs: dict[str, int] = {}
    entries: dict[str, int] = {}
    sources: tuple[SourceNote, ...] = ()
