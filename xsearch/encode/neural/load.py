"""From a name or a path to an encoder ready to run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode.card import EncoderCard
from xsearch.encode.neural import describe
from xsearch.encode.neural.assemble import assemble
from xsearch.encode.neural.build import build
from xsearch.encode.neural.checkpoint import Checkpoint, locate
from xsearch.encode.neural.describe import Settings, bge_head
from xsearch.encode.neural.fingerprint import content_hash, fingerprint
from xsearch.encode.neural.network import Network
from xsearch.encode.neural.runtime import Runtime
from xsearch.encode.neural.spread import SpreadEncoder
from xsearch.encode.neural.tokens import check_vocabulary
from xsearch.encode.protocol import AnyEncoder

UNLIMITED = 100_000
"""A tokenizer's length from which on it stands for "none given"."""


def load_neural(
    name: str | Path,
    kind: str,
    runtime: Runtime | None = None,
    own: EncoderCard | None = None,
    known: EncoderCard | None = None,
    dim: int = 0,
) -> AnyEncoder:
    """The encoder in a folder, or of a name on the hub.

    kind: "dense", "multivector" or "sparse"; a checkpoint may offer several. own: a card that the user gave for it.
    known: the card that ships for a model of that name. dim: what vectors are cut to, 0 for all of it.
    Raises `BadInput` for what is no encoder, `UsageError` for a kind or a cut it does not offer and for what could run
    code, `MissingExtra` where torch or the model is not there.
    """
    runtime = runtime or Runtime()
    torch = need("torch", "neural", "a neural encoder")
    devices = runtime.devices(torch)
    if len(devices) > 1:
        load = partial(_load_on, name=name, kind=kind, runtime=runtime, own=own, known=known, dim=dim)
        return SpreadEncoder(load, devices)
    checkpoint = locate(name, known.revision if known else "", trusted=runtime.trust is not None)
    describe.check_kind(checkpoint, kind)
    found = describe.settings(checkpoint, kind, own, known, dim)
    trusted = checkpoint.check_trust(runtime.trust)
    mark = fingerprint(checkpoint.folder, describe.plain(found))
    model = build(checkpoint, found, torch, devices[0], runtime, trusted)
    network = Network(model, torch, devices[0], runtime)
    for task in ("query", "document"):
        check_vocabulary(network.first(task).tokenizer, checkpoint.folder)
    return assemble(checkpoint, _card(checkpoint, found, own or known, mark, trusted, network), network)


def _load_on(device: str, runtime: Runtime, **arguments: Any) -> AnyEncoder:
    return load_neural(runtime=replace(runtime, device=device), **arguments)


def _card(
    checkpoint: Checkpoint, found: Settings, card: EncoderCard | None, mark: str, trusted: bool, network: Network
) -> EncoderCard:
    """The card of a loaded model, complete."""
    whole = dimension(checkpoint, found, network)
    if found.dim > whole:
        raise BadInput(f"{checkpoint.folder} makes {whole} dimensions; it cannot be cut to {found.dim}")
    base = card or EncoderCard(name=_plain_name(checkpoint), kind=found.kind, dim=whole, licence="")
    return msgspec.structs.replace(
        base,
        kind=found.kind,
        dim=found.dim or whole,
        fingerprint=mark,
        files=str(checkpoint.folder),
        model=base.model or checkpoint.name,
        revision=checkpoint.revision,
        pooling=found.pooling or base.pooling,
        prefixes=found.prefixes,
        trusted=content_hash(checkpoint.folder) if trusted else "",
        max_length=window(found.max_length, network.first("document")),
    )


def dimension(checkpoint: Checkpoint, found: Settings, network: Network) -> int:
    """Numbers of a vector, or entries of the vocabulary."""
    first = network.first("document")
    by_term = getattr(first, "transformer_task", "") == "fill-mask" and found.kind == "sparse"
    if found.kind != "dense" and bge_head(checkpoint, found.kind):
        # BGE-M3's tokens have as many numbers as its states.
        config = first.model.config
        return int(config.hidden_size if found.kind == "multivector" else config.vocab_size)
    if by_term and type(network.model[-1]).__name__ != "SparseAutoEncoder":
        return int(first.model.config.vocab_size)
    return int(network.model.get_embedding_dimension())


def _plain_name(checkpoint: Checkpoint) -> str:
    return Path(checkpoint.name).name or checkpoint.folder.name


def window(asked: int, first: Any) -> int:
    """Tokens a network reads at once: the least of what the settings ask for, what the tokenizer says and what the
    positions of `first`, its first module, allow."""
    limits = [asked] if asked else []
    if 0 < (first.tokenizer.model_max_length or 0) < UNLIMITED:
        limits.append(int(first.tokenizer.model_max_length))
    if positions := positions_of(getattr(getattr(first, "model", None), "config", None)):
        limits.append(positions)
    return min(limits, default=512)


def positions_of(config: Any) -> int:
    """Positions a transformer has, 0 where it does not say. RoBERTa and its kin count from behind the padding's
    number, which takes two of them."""
    count = int(getattr(config, "max_position_embeddings", 0) or 0)
    shifted = any(name in getattr(config, "model_type", "") for name in ("roberta", "xmod", "mpnet", "camembert"))
    return max(0, count - 2 if shifted else count)
