"""From a model that runs to the encoder of a kind: how each side is tokenised and what becomes of the output."""

from __future__ import annotations

from typing import Any

from xsearch.encode.card import EncoderCard
from xsearch.encode.neural import heads
from xsearch.encode.neural.checkpoint import Checkpoint
from xsearch.encode.neural.dense import DenseEncoder, Sides
from xsearch.encode.neural.describe import bge_head, is_stanford
from xsearch.encode.neural.languages import Languages
from xsearch.encode.neural.multivector import TokenEncoder
from xsearch.encode.neural.network import Expansion, Network
from xsearch.encode.neural.sparse import WeightEncoder
from xsearch.encode.neural.stanford import read_stanford
from xsearch.encode.neural.tokens import TextTokens
from xsearch.encode.protocol import AnyEncoder

SPARSE_CELLS = {"cpu": 1 << 28, "gpu": 1 << 31}
"""Numbers of a batch that has one a token and vocabulary entry: a gigabyte of float32, four of bfloat16."""


def assemble(checkpoint: Checkpoint, card: EncoderCard, network: Network) -> AnyEncoder:
    """The encoder of the card's kind."""
    if card.kind == "multivector":
        return multivector(checkpoint, card, network)
    if card.kind == "sparse":
        return sparse(checkpoint, card, network)
    return DenseEncoder(card, network, plain_sides(card, network), languages(card, network), card.dim)


def multivector(checkpoint: Checkpoint, card: EncoderCard, network: Network) -> AnyEncoder:
    """An encoder of tokens' vectors, of whichever origin."""
    first, expansion = network.first("document"), None
    if head := bge_head(checkpoint, "multivector"):
        like = next(network.model.parameters())
        network.finish = heads.token_vectors(*heads.read_linear(head, network.torch, like))
        sides = plain_sides(card, network)
    elif is_stanford(checkpoint):
        rows = first.model.get_input_embeddings().num_embeddings
        found = read_stanford(checkpoint, first.tokenizer, rows)
        expansion = found.expansion
        network.drop_tokens(found.punctuation)
        limit = min(card.max_length, found.passage_length)
        sides = Sides(
            TextTokens(first.tokenizer, card.max_length, marker=found.query_marker),
            TextTokens(first.tokenizer, limit, marker=found.passage_marker),
        )
    else:
        sides = plain_sides(
            card, network, getattr(first, "document_length", None), getattr(first, "query_length", None)
        )
        expansion = own_expansion(first)
    return TokenEncoder(card, network, sides, languages(card, network), expansion)


def own_expansion(first: Any) -> Expansion | None:
    """The query augmentation that a model of sentence-transformers is configured for."""
    given: dict[str, Any] | None = getattr(first, "query_expansion", None)
    if given is None:
        return None
    tokenizer = first.tokenizer
    if given["token"] is not None:
        token = tokenizer.convert_tokens_to_ids(given["token"])
    else:
        token = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.eos_token_id
    return Expansion(int(given["length"]), int(token), bool(given["attend"]))


def sparse(checkpoint: Checkpoint, card: EncoderCard, network: Network) -> AnyEncoder:
    """An encoder of vocabulary weights: SPLADE's or BGE-M3's."""
    if head := bge_head(checkpoint, "sparse"):
        tokenizer = network.first("document").tokenizer
        named = (tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
        special = [number for number in named if number is not None]
        weight, bias = heads.read_linear(head, network.torch, next(network.model.parameters()))
        network.finish = heads.token_weights(weight, bias, card.dim, special, network.torch)
    cells = SPARSE_CELLS["cpu" if network.device.startswith("cpu") else "gpu"]
    network.budget.tokens = max(1, min(network.budget.tokens, cells // card.dim))
    return WeightEncoder(card, network, plain_sides(card, network), languages(card, network))


def plain_sides(
    card: EncoderCard, network: Network, passage_length: int | None = None, query_length: int | None = None
) -> Sides:
    """Sides that differ in their prefixes, and in their first modules where there is one a task."""
    passage, query = network.first("document"), network.first("query")
    return Sides(
        TextTokens(
            query.tokenizer,
            min(query_length or card.query_length or card.max_length, card.max_length),
            card.prefixes.query,
            special=reads_special(query),
        ),
        TextTokens(
            passage.tokenizer,
            min(passage_length or card.max_length, card.max_length),
            card.prefixes.passage,
            special=reads_special(passage),
        ),
    )


def reads_special(module: Any) -> bool:
    """Whether a first module wants the tokenizer's special tokens: a table of weights does not."""
    return type(module).__name__ != "SparseStaticEmbedding"


def languages(card: EncoderCard, network: Network) -> Languages:
    """Whose languages count, and X-MOD's modules."""
    config: Any = getattr(getattr(network.first("document"), "model", None), "config", None)
    if getattr(config, "model_type", "") != "xmod":
        return Languages(card)
    default = config.default_language
    return Languages(card, config.languages, config.languages.index(default) if default in config.languages else 0)
