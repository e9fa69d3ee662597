"""One committed state of an index, opened for reading: what a search sees until `refresh`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch import lang as languages
from xsearch.core import EncoderMismatch, IntArray, Mask
from xsearch.encode import AnyEncoder, Encoder, PieceEncoder, Runtime, card_folder, has_pieces, load_encoder
from xsearch.engine.encoder import Encoders, LazyEncoders, familiarity, index_encoders, is_neural
from xsearch.engine.parts import RETRIEVERS, Retriever, open_retriever
from xsearch.engine.recipe import Recipe, parse_stored
from xsearch.engine.rerank import Rerankers
from xsearch.engine.tables import find_tables
from xsearch.lang.translation import TranslationTables
from xsearch.storage import Liveness, Manifest, PassageColumns, StoreReader, generation_folder

REMEMBERED_MASKS = 8
CERTAINTY = 1.5
"""Power of the share of words that tables translate: of two words that must both be known for a match one may not be,
so that silence in a language whose tables are thin says less than the share. Found while any passage's score counted as
evidence, when 1.5 gained a point on 51 languages of news; against 1 it now moves nothing beyond half a point."""


class Snapshot:
    """Readers of every part of one manifest. Immutable and safe to use from several threads. runtime: how neural
    encoders are run, and where vectors are searched. rerankers: those already loaded."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        runtime: Runtime | None = None,
        rerankers: Rerankers | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.recipe: Recipe = parse_stored(manifest.recipe)
        generation = generation_folder(folder, manifest.generation)
        self.store = StoreReader(generation / "store.db", manifest.commit)
        self.columns = PassageColumns.open(generation, manifest.columns, manifest.languages, manifest.high_water)
        self.live = Liveness.open(generation / manifest.live)
        # Refers to nothing of this snapshot: what retrievers keep of it must not keep the snapshot alive.
        self._load = LazyEncoders(partial(index_encoders, manifest, folder, runtime))
        pieces, device = partial(_pieces, self._load), (runtime or Runtime()).device
        self.retrievers: Mapping[str, Retriever] = {
            name: open_retriever(
                name, generation, manifest.retrievers, pieces, device, self.recipe.dense.gpu, self.recipe.psq.model
            )
            for name in self.recipe.retrievers
        }
        self.groups, self.group_of_language = _groups(manifest.languages)
        self._supports: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._masks: dict[tuple[str, tuple[Any, ...]], Mask] = {}
        self.rerankers = rerankers or Rerankers(runtime)

    @property
    def encoders(self) -> Encoders:
        """The encoders the index was built with, loaded when first needed. Raises `EncoderMismatch` for others."""
        return self._load()

    @property
    def encoder(self) -> Encoder:
        """The encoder of the dense retriever's vectors, or that of the pieces where there are no vectors."""
        encoder = self.encoders.vectors or self.encoders.pieces
        if encoder is None:
            raise EncoderMismatch(f"{self.folder} was built without an encoder")
        return encoder

    @property
    def pieces(self) -> PieceEncoder:
        """The encoder whose pieces the index holds."""
        return _pieces(self._load)

    @cached_property
    def tables(self) -> TranslationTables | None:
        """The translation tables for the pieces the index holds, None where there are none."""
        return find_tables(self.recipe.tables, self.pieces, card_folder(self.recipe.encoder_of("dense")))

    def translatable(self, source: str, target: str) -> float:
        """How well pieces of one language are translated into another, 0 to 1."""
        return self.tables.supports(source, target) if self.tables else 0.0

    def supports(self, name: str, code: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For each of `groups`, float64 (groups,): whether a retriever can compare a query in a language with passages
        of the group, 0 to 1, and how well what it compares them by (an encoder, tables) knows both. Remembered."""
        key = name, code
        found = self._supports.get(key)
        if found is None:
            kind, retriever = RETRIEVERS[name], self.retrievers[name]
            base = languages.base_language(code)
            compared = np.array([retriever.support(base, group) for group in self.groups], dtype=np.float64)
            known = np.ones(len(self.groups))
            if kind.translates:
                known = np.array([self.translatable(code, group) for group in self.groups]) ** CERTAINTY
            elif kind.encoder and compared.any():
                encoder = self.encoder_for(kind.encoder)
                known = familiarity(encoder, code) * np.array([familiarity(encoder, group) for group in self.groups])
            found = self._supports[key] = compared, known
        return found

    def encoder_for(self, field: str) -> AnyEncoder:
        """The encoder in a field of `Encoders`. Raises `EncoderMismatch` where the index has none."""
        encoder: AnyEncoder | None = getattr(self.encoders, field)
        if encoder is None:
            raise EncoderMismatch(f"{self.folder} was built without an encoder of {field}")
        return encoder

    @cached_property
    def word_encoder(self) -> Encoder:
        """The encoder to ask how much a word says and which sentence is near a query: one with pieces, which takes no
        time; that which ships where the index has none."""
        if self.is_neural and not self._load.are_loaded:
            # Neural encoders are not loaded for a question that none of them is to answer.
            return load_encoder()
        own = self.encoders.pieces or self.encoders.vectors
        return own if own is not None and has_pieces(own) else load_encoder()

    @property
    def question_languages(self) -> list[str]:
        """The languages of the questions generated from passages, in the index of their words."""
        return list(self.manifest.retrievers.get("generated", {}).get("asked", {}))

    @property
    def has_encoder(self) -> bool:
        """Whether the index was built with an encoder."""
        return self.manifest.encoder is not None

    @property
    def is_neural(self) -> bool:
        """Whether torch runs an encoder of the index."""
        return is_neural(self.manifest)

    @cached_property
    def all_live(self) -> bool:
        """Whether no passage below the high-water mark is dead: then searches need no mask."""
        return self.live.count == self.manifest.high_water

    @cached_property
    def alive(self) -> Mask:
        """Which passages are alive, bool (high-water mark,)."""
        return self.live.mask()

    @cached_property
    def group_sizes(self) -> IntArray:
        """Live passages of each of `groups`, int64."""
        spoken = self.columns.languages if self.all_live else self.columns.languages[self.alive]
        return np.bincount(self.group_of_language[spoken], minlength=len(self.groups))

    def group_of(self, passages: NDArray[np.int64]) -> NDArray[np.int32]:
        """Index into `groups` of each passage's language, int32 (n,)."""
        return self.group_of_language[self.columns.language_of(passages)]

    def filter_mask(self, sql: str, parameters: tuple[Any, ...]) -> Mask:
        """Passages of the documents for which an SQL condition holds, bool (high-water mark,). The last few are
        remembered: a filter reads every document's metadata."""
        key = (sql, parameters)
        mask = self._masks.get(key)
        if mask is None:
            numbers = self.store.select(sql, parameters)
            documents = self.columns.documents
            inside = np.zeros(int(documents.max(initial=-1)) + 2, dtype=np.bool_)
            inside[numbers[numbers < len(inside) - 1]] = True
            # A passage that compaction removed has document -1: the last element, which stays false.
            mask = inside[documents]
            if len(self._masks) >= REMEMBERED_MASKS:
                self._masks = {}
            self._masks[key] = mask
        return mask

    def close(self) -> None:
        """Let go of the files."""
        self.store.close()
        for retriever in self.retrievers.values():
            retriever.close()

    def check_analyzers(self) -> None:
        """Raise `EncoderMismatch` when a language's analyzer is no longer the one that made the index's terms."""
        for code, recorded in self.manifest.analyzers.items():
            analyzer = languages.analyzer(code)
            if (analyzer.name, str(analyzer.version), analyzer.fingerprint) != tuple(recorded):
                raise EncoderMismatch(
                    f"the terms for '{code}' were made by analyzer {recorded[0]} version {recorded[1]} "
                    f"({recorded[2]}), which has changed: rebuild with `xsearch compact -i {self.folder}`"
                )


def _pieces(load: Callable[[], Encoders]) -> PieceEncoder:
    encoder = load().pieces
    if encoder is None:
        raise EncoderMismatch("the index holds no pieces: none of its retrievers reads them")
    return encoder


def _groups(codes: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    groups = sorted({languages.base_language(code) for code in codes})
    place = {group: i for i, group in enumerate(groups)}
    return groups, np.array([place[languages.base_language(code)] for code in codes], dtype=np.int32)
