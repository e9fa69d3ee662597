"""What a checkpoint is: which kinds of vectors it can make, and the settings it is to be run with.

A card that the user wrote says most; then the checkpoint's own files; then the card that ships for a model of that
name; then the library's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput, UsageError
from xsearch.encode.card import EncoderCard, Prefixes
from xsearch.encode.neural.checkpoint import Checkpoint

KINDS = ("dense", "multivector", "sparse")
NO_ENCODERS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice")
SPARSE_MODULES = ("SpladePooling", "MLMTransformer", "SparseStaticEmbedding", "SparseAutoEncoder")
TABLES = ("StaticEmbedding", "WordEmbeddings", "BoW", "CLIPModel")
"""First modules of sentence-transformers that take something else than a transformer's tokens."""
BGE_HEADS = {"multivector": "colbert_linear", "sparse": "sparse_linear"}
"""Files, without suffix, that hold BGE-M3's two other heads (Chen et al. 2024)."""


@dataclass(frozen=True)
class Settings:
    """How a checkpoint is run. Everything here shapes vectors and goes into the fingerprint.

    max_length: 0 for what tokenizer and network allow. pooling: "" where the checkpoint's modules pool. dim: what
    vectors are cut to, 0 for all of it.
    """

    kind: str
    prefixes: Prefixes
    max_length: int
    query_length: int
    pooling: str
    dim: int


def offers(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The kinds of vectors a checkpoint can make, its own first. Raises `BadInput` for a model that is no encoder."""
    types = [module["type"].rpartition(".")[2] for module in checkpoint.modules]
    if types and types[0] in TABLES:
        raise BadInput(f"{checkpoint.folder} begins with a {types[0]}, which xsearch cannot run: take a transformer")
    declared = checkpoint.settings.get("model_type", "")
    if declared in ("ColBERT", "MultiVectorEncoder") or "MultiVectorMask" in types:
        return ("multivector",)
    if declared == "SparseEncoder" or set(types) & set(SPARSE_MODULES):
        return ("sparse",)
    if is_stanford(checkpoint):
        return ("multivector",)
    if heads := [kind for kind in BGE_HEADS if bge_head(checkpoint, kind)]:
        return ("dense", *heads)
    if not checkpoint.modules:
        _check_is_encoder(checkpoint)
        if any(name.endswith("ForMaskedLM") for name in checkpoint.architectures):
            return ("dense", "sparse")
    return ("dense",)


def is_stanford(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has the form that Stanford's ColBERT, PLAID-X and ColBERT-XM save."""
    return "HF_ColBERT" in checkpoint.architectures or (checkpoint.folder / "artifact.metadata").is_file()


def bge_head(checkpoint: Checkpoint, kind: str) -> Path | None:
    """The file of one of BGE-M3's heads, None where there is none."""
    for suffix in (".safetensors", ".pt"):
        path = checkpoint.folder / f"{BGE_HEADS[kind]}{suffix}"
        if path.is_file():
            return path
    return None


def _check_is_encoder(checkpoint: Checkpoint) -> None:
    for name in checkpoint.architectures:
        if name.endswith(NO_ENCODERS):
            raise BadInput(f"{checkpoint.folder} is no encoder but a {name}; use it with --rerank, or take its base")


def check_kind(checkpoint: Checkpoint, kind: str) -> None:
    """Raise `UsageError` when a checkpoint does not make vectors of a kind."""
    offered = offers(checkpoint)
    if kind not in offered:
        raise UsageError(
            f"{checkpoint.folder} makes {' or '.join(offered)} vectors, not {kind}: "
            "choose a recipe for those, or another encoder"
        )


def settings(
    checkpoint: Checkpoint, kind: str, own: EncoderCard | None, known: EncoderCard | None, dim: int
) -> Settings:
    """How to run a checkpoint. own: a card that the user gave. known: the one that ships. dim: what the user wants
    vectors cut to, 0 for the whole."""
    card = own or known
    prompts = own.prefixes if own else prefixes(checkpoint)
    if prompts == Prefixes() and card is not None:
        prompts = card.prefixes
    pooling = "" if checkpoint.modules or kind != "dense" else (card.pooling if card else "") or "mean"
    wanted = dim or (own.dim if own and own.dim in own.matryoshka else 0)
    if wanted and card and card.matryoshka and wanted not in (*card.matryoshka, card.dim):
        cuts = ", ".join(str(cut) for cut in card.matryoshka)
        raise UsageError(f"{card.name} was not trained to be cut to {wanted} dimensions: choose among {cuts}")
    return Settings(
        kind=kind,
        prefixes=prompts,
        max_length=(own.max_length if own else 0) or (known.max_length if known else 0),
        query_length=card.query_length if card else 0,
        pooling=pooling,
        dim=wanted,
    )


def prefixes(checkpoint: Checkpoint) -> Prefixes:
    """What a checkpoint of sentence-transformers or PyLate puts in front of queries and passages."""
    prompts: dict[str, Any] = checkpoint.settings.get("prompts") or {}
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if prompts.get(name)), "")
    # PyLate's markers stand before the prompts, and some savers have put them into the prompts already.
    first = checkpoint.settings.get("query_prefix") or "", checkpoint.settings.get("document_prefix") or ""
    given = prompts.get("query") or "", passage
    return Prefixes(*(mark + prompt.removeprefix(mark) for mark, prompt in zip(first, given, strict=True)))


def plain(found: Settings) -> dict[str, Any]:
    """Settings as plain data, for the fingerprint."""
    made: dict[str, Any] = msgspec.to_builtins(found)
    return made
