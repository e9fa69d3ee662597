"""Generators of questions by name: the one that ships, or a model in a folder."""

from __future__ import annotations

from pathlib import Path

from xsearch.core import UsageError
from xsearch.encode import Runtime, StaticEncoder, card_folder, load_encoder
from xsearch.engine.snapshot import Snapshot
from xsearch.engine.tables import find_tables
from xsearch.generate import LexicalGenerator, QuestionGenerator

LEXICAL = "lexical"


def load_generator(name: str, snapshot: Snapshot, device: str = "auto") -> QuestionGenerator:
    """The generator `name` for an index. Raises `UsageError` for a name nobody knows, `MissingExtra`."""
    if name != LEXICAL:
        from xsearch.generate.model import load_model_generator

        if not Path(name).is_dir() and "/" not in name:
            raise UsageError(f"unknown generator '{name}': {LEXICAL}, or the folder of a model")
        return load_model_generator(name, Runtime(device))
    encoder = snapshot.word_encoder
    if not isinstance(encoder, StaticEncoder):
        encoder = load_encoder()
    folder = card_folder(snapshot.recipe.encoder_of("dense"))
    tables = find_tables(snapshot.recipe.tables, encoder, folder) if isinstance(encoder, StaticEncoder) else None
    if not isinstance(encoder, StaticEncoder) or tables is None:
        raise UsageError(f"generator '{LEXICAL}' needs translation tables, and there are none: install xsearch again")
    return LexicalGenerator(encoder, tables)
