"""The tables of what an index is made of: its parts, each with its writer, and the retrievers that read them.

A part is a folder of segments; several retrievers may read one. A retriever of another kind is a row in `RETRIEVERS`,
a line in `open_retriever`, and a row in `PARTS` for what it alone reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from xsearch import retrieve
from xsearch.core import Mask, PassageBatch, Query, Ranking
from xsearch.encode import PieceEncoder
from xsearch.storage import Files

if TYPE_CHECKING:
    from xsearch.retrieve.gpu import Kind as GpuKind
    from xsearch.retrieve.psq import Model


class PartWriter(Protocol):
    """Appends passages to a part of an index."""

    def add(self, batch: PassageBatch) -> None:
        """Append passages, in ascending number; seen by no reader before `flush` and a commit of its state."""

    def flush(self) -> dict[str, Any]:
        """Make everything added durable; the state that a manifest must name to have it, with its "files"."""

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""


class Retriever(Protocol):
    """One committed state of the parts a retriever reads; safe to search from several threads."""

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language, of those `allowed` and of `langs`."""

    def support(self, query_lang: str, passage_lang: str) -> float:
        """Could it see a relevant passage of this pair of languages at all? 0 to 1."""

    def languages(self) -> list[str]:
        """The languages it holds passages of, sorted."""

    def close(self) -> None:
        """Let go of the files."""


class OpenPart(Protocol):
    """How a part's writer is made: from its folder and the state last committed."""

    def __call__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> PartWriter:
        """high_water: the first passage number not yet given away."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the engine must know of a retriever.

    reads: the parts it searches. encoder: whose knowledge of the languages bounds its support, a field of
    `engine.encoder.Encoders`; "" for none. sampled: its background is estimated from the passages there are, so that
    it says less of a language that has few. translates: it needs translation tables.
    """

    reads: tuple[str, ...]
    encoder: Literal["", "vectors", "pieces", "weights", "tokens"] = ""
    sampled: bool = False
    translates: bool = False


RETRIEVERS: Mapping[str, Kind] = {
    "bm25": Kind(("bm25",)),
    "dense": Kind(("dense",), encoder="vectors", sampled=True),
    "late": Kind(("tokens",), encoder="pieces", sampled=True),
    "psq": Kind(("pieces",), translates=True),
    "names": Kind(("names",)),
    "sparse": Kind(("sparse",), encoder="weights", sampled=True),
    "lucene": Kind(("lucene",)),
    "colbert": Kind(("colbert",), encoder="tokens", sampled=True),
    "generated": Kind(("generated",)),
}

PARTS: Mapping[str, Callable[[], OpenPart]] = {
    "bm25": lambda: retrieve.BM25Writer,
    "dense": lambda: retrieve.DenseWriter,
    "pieces": lambda: retrieve.ImpactWriter,
    "expected": lambda: retrieve.ExpectedWriter,
    "tokens": lambda: retrieve.TokensWriter,
    "names": lambda: retrieve.NamesWriter,
    "sparse": lambda: retrieve.SparseWriter,
    "lucene": lambda: retrieve.LuceneWriter,
    "colbert": lambda: retrieve.ColbertWriter,
    "generated": lambda: retrieve.GeneratedWriter,
}
"""Part → what gives its writer: that of a retriever which is not used is not imported."""

VECTORS = frozenset({"dense"})
"""Parts made of the windows of a batch."""
PIECES = frozenset({"pieces", "expected", "tokens"})
"""Parts made of the pieces of a batch."""
FORMS = frozenset({"names"})
"""Parts made of the word forms of a batch."""
WEIGHTS = frozenset({"sparse"})
"""Parts made of a sparse encoder's weights."""
TOKEN_VECTORS = frozenset({"colbert"})
"""Parts made of a multi-vector encoder's vectors."""

TEXTS = frozenset({"lucene"})
"""Parts made of the texts of a batch as they are written."""


def parts_of(retrievers: Iterable[str]) -> list[str]:
    """The parts that these retrievers read, each once."""
    return list(dict.fromkeys(part for name in retrievers for part in RETRIEVERS[name].reads))


def open_retriever(
    name: str,
    generation: Path,
    states: Mapping[str, Mapping[str, Any]],
    pieces: Callable[[], PieceEncoder],
    device: str = "cpu",
    gpu: GpuKind = "flat",
    model: Model = "bm25",
) -> Retriever:
    """The reader of a retriever's parts.

    generation: the folder that holds them. states: by part, as the manifest has them. pieces: loads, when first
    needed, the encoder whose pieces the index holds; to be kept instead of the encoder. device: where vectors of tokens
    are compared and large languages' vectors searched, as `encode.Runtime` has it; gpu: in what structure
    (`retrieve.gpu`). model: what psq makes of expected counts.
    """
    if name == "psq":
        part = "expected" if "expected" in states else "pieces"
        return retrieve.PSQ(generation / part, states.get(part, {}), model=model)
    if name == "bm25":
        return retrieve.BM25(generation / name, states.get(name, {}))
    if name == "late":
        return retrieve.Late(generation / "tokens", states.get("tokens", {}), pieces)
    if name == "names":
        return retrieve.Names(generation / name, states.get(name, {}))
    if name == "sparse":
        return retrieve.Sparse(generation / name, states.get(name, {}))
    if name == "lucene":
        return retrieve.Lucene(generation / name, states.get(name, {}))
    if name == "colbert":
        return retrieve.Colbert(generation / name, states.get(name, {}), device=device)
    if name == "generated":
        return retrieve.Generated(generation / name, states.get(name, {}))
    return retrieve.Dense(generation / name, states.get(name, {}), device=device, gpu=gpu)
