"""The model in training: a transformer, and what turns its states into vectors as the finished encoder will."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from xsearch.core import BadInput
from xsearch.encode import EncoderCard
from xsearch.encode.neural.languages import Languages
from xsearch.encode.neural.load import UNLIMITED, positions_of
from xsearch.train.neural.batches import Ranked, Side
from xsearch.train.neural.objectives import chunked, max_sim, word_weights
from xsearch.train.neural.recipe import Model

TOKEN_DIM = 128
"""Numbers of a token's vector where the recipe does not say (Khattab and Zaharia 2020)."""


class Student(nn.Module):  # type: ignore[misc]
    """A network that learns. transformer: of transformers, with its masked-LM head where an objective predicts words.

    `represent` gives what the encoder of its kind will: dense, float (n, dim) of length 1; multivector, ((n, t, dim) of
    length 1, mask (n, t)); sparse, (n, vocabulary) of at least 0.
    """

    def __init__(self, transformer: Any, tokenizer: Any, settings: Model) -> None:
        super().__init__()
        self.transformer, self.tokenizer, self.settings = transformer, tokenizer, settings
        # Low-rank changes live inside the network; what wraps it would hide its parts.
        self._network = [transformer.get_base_model() if hasattr(transformer, "get_base_model") else transformer]
        self._teacher: list[Any] = []
        self.config = transformer.config
        width = int(self.config.hidden_size)
        self.dim = settings.dim or (TOKEN_DIM if settings.kind == "multivector" else width)
        projected = settings.kind == "multivector" or (settings.kind == "dense" and self.dim != width)
        self.projection = nn.Linear(width, self.dim, bias=False) if projected else None
        self.parts = nn.ModuleDict()
        unknown = tokenizer.unk_token_id
        signs = {tokenizer.convert_tokens_to_ids(sign) for sign in string.punctuation} - {unknown, None}
        self.register_buffer("signs", torch.tensor(sorted(signs), dtype=torch.long), persistent=False)
        self._languages = _modules_of(self.config)
        self.limit = min(positions_of(self.config) or UNLIMITED, tokenizer.model_max_length)

    @property
    def device(self) -> Any:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def body(self) -> Any:
        """The transformer without its head."""
        return self._network[0].base_model

    @property
    def sentence_dim(self) -> int:
        """Numbers of a text's vector."""
        return self.dim if self.settings.kind == "dense" else int(self.config.hidden_size)

    def numbers(self, values: Sequence[Any]) -> Any:
        """Integers on the device."""
        return torch.tensor(values, device=self.device)

    def remember(self, teacher: Any) -> None:
        """Keep a network to be compared with; it is neither trained nor written."""
        self._teacher = [teacher.eval()]

    def teacher(self) -> Any:
        """The network kept, without its head, where the student is."""
        self._teacher = [self._teacher[0].to(self.device)]
        return self._teacher[0].base_model

    def features(self, side: Side, task: str) -> dict[str, Any]:
        """Token numbers and mask of texts, cut to the length of queries ("query") or passages ("document")."""
        settings = self.settings
        prefix, length = (
            (settings.query, settings.query_length) if task == "query" else (settings.passage, settings.passage_length)
        )
        made = self.tokenizer(
            [prefix + text for text in side.texts],
            truncation=True,
            max_length=min(length, self.limit),
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        features = {name: tensor.to(self.device) for name, tensor in made.items()}
        if self._languages is not None:
            features["lang_ids"] = self.numbers([self._languages.module(lang) for lang in side.langs])
        return features

    def joint_features(self, left: Side, right: Side) -> tuple[dict[str, Any], Any, Any]:
        """Features of texts with their translations behind them, and bool (n, t): which tokens are of the one, and
        which of the other."""
        length = min(2 * self.settings.passage_length, self.limit)
        made = self.tokenizer(
            list(left.texts),
            list(right.texts),
            truncation=True,
            max_length=length,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        parts = [[-1 if part is None else part for part in made.sequence_ids(row)] for row in range(len(left))]
        sequence = self.numbers(parts)
        features = {name: tensor.to(self.device) for name, tensor in made.items()}
        if self._languages is not None:
            features["lang_ids"] = self.numbers([self._languages.module(lang) for lang in left.langs])
        return features, sequence == 0, sequence == 1

    def ordinary(self, features: dict[str, Any]) -> Any:
        """Which tokens are words', bool (n, t): neither padding nor special."""
        special = self.numbers(sorted(self.tokenizer.all_special_ids))
        return features["attention_mask"].bool() & ~torch.isin(features["input_ids"], special)

    def sentences(self, side: Side, chunk: int = 0) -> Any:
        """A vector of each text, (n, dim) of length 1, whatever the encoder's kind."""

        def encode(features: dict[str, Any]) -> Any:
            return self.pooled(self.states(features), features["attention_mask"])

        return chunked(encode, self.features(side, "document"), chunk)

    def states(self, features: dict[str, Any]) -> Any:
        """The last layer's states, (n, t, width)."""
        return self.body(**features).last_hidden_state

    def words(self, states: Any) -> Any:
        """Logits of the vocabulary, (…, vocabulary), by the masked-LM head."""
        network = self._network[0]
        for name in ("lm_head", "cls"):
            if (head := getattr(network, name, None)) is not None:
                return head(states)
        if hasattr(network, "decoder") and hasattr(network, "head"):
            return network.decoder(network.head(states))
        raise BadInput(f"{type(network).__name__} has no masked-LM head that is known: use another base")

    def pooled(self, states: Any, mask: Any) -> Any:
        """Vectors of texts from states (n, t, width), of length 1."""
        if self.settings.pooling == "cls":
            vectors = states[:, 0]
        else:
            weights = mask.unsqueeze(-1).to(states.dtype)
            vectors = (states * weights).sum(1) / weights.sum(1)
        if self.projection is not None and self.settings.kind == "dense":
            vectors = self.projection(vectors)
        return nn.functional.normalize(vectors.float(), dim=-1)

    def token_vectors(self, states: Any, features: dict[str, Any], task: str) -> tuple[Any, Any]:
        """Vectors of tokens and which of them count: passages' without punctuation."""
        vectors = self.projection(states) if self.projection is not None else states
        mask = features["attention_mask"].bool()
        if task != "query":
            mask = mask & ~torch.isin(features["input_ids"], self.signs)
        return nn.functional.normalize(vectors.float(), dim=-1), mask

    def represent(self, side: Side, task: str, chunk: int = 0) -> Any:
        """What the encoder makes of texts. chunk: texts whose states are held at once, 0 for all."""
        features = self.features(side, task)

        def encode(features: dict[str, Any]) -> Any:
            states = self.states(features)
            if self.settings.kind == "multivector":
                return self.token_vectors(states, features, task)
            if self.settings.kind == "sparse":
                return word_weights(self.words(states), features["attention_mask"])
            return self.pooled(states, features["attention_mask"])

        return chunked(encode, features, chunk)

    def scores(self, queries: Any, passages: Any) -> Any:
        """Scores of all passages for all queries, (n, p)."""
        if self.settings.kind == "multivector":
            return max_sim(*queries, *passages)
        return queries @ passages.T

    def rivals(self, batch: Ranked) -> Any:
        """Which passages count for which query, bool (n, p): its own and those of other groups."""
        groups, owners = self.numbers(batch.groups), self.numbers(batch.owners)
        rivals = groups[:, None] != owners[None, :]
        rivals[torch.arange(len(groups)), torch.arange(len(groups))] = True
        return rivals


def _modules_of(config: Any) -> Languages | None:
    """X-MOD's language modules, None for other networks."""
    if config.model_type != "xmod":
        return None
    default = config.default_language
    number = config.languages.index(default) if default in config.languages else 0
    return Languages(EncoderCard(name="", kind="dense", dim=0), config.languages, number)
