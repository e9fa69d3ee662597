"""Rerankers composed of modules: the ranking module with the module of the query's or of the document's language.

A card of the kind "reranker-modular" names the base in `model` and the modules in its settings:

    [settings]
    ranking = "ranking"            # its card, relative to this one
    languages = "languages"        # the folder of language modules
    setting = "document"           # query, document, split, both, none
    invertible = false
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from xsearch.core import BadInput, FloatArray, Query
from xsearch.encode import Runtime
from xsearch.encode.neural.modules import ModularRanker, load_ranker
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text


class ModularSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What composes the reranker; paths relative to the card. setting, invertible: as `ModularRanker` takes them."""

    ranking: str
    languages: str = ""
    setting: str = "document"
    invertible: bool = False


class ModularReranker:
    """Scores passages with a composed ranker. Safe to share between threads."""

    def __init__(self, card: RerankerCard, ranker: ModularRanker) -> None:
        self._card, self._ranker = card, ranker

    @property
    def card(self) -> RerankerCard:
        """What the reranker is."""
        return self._card

    @property
    def counts(self) -> Mapping[str, int]:
        """Pairs cut short, and languages that another's module read."""
        return self._ranker.counts

    def composition(self, query_lang: str, passage_lang: str) -> tuple[str, ...]:
        """Of the setting `split` the query's first; of the others each once."""
        return self._ranker.composition(query_lang, passage_lang)

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), the head's number for each, higher is better. Passages may be of any languages."""
        texts = [passage_text(each) for each in passages]
        count = len(passages)
        return self._ranker.score([query.text] * count, texts, [query.lang] * count, [each.lang for each in passages])


def modular_reranker(card: RerankerCard, folder: Path, runtime: Runtime) -> ModularReranker:
    """The reranker of a card. Raises `BadInput` for modules of another base and damaged ones, `UsageError` for an
    unknown setting, `MissingExtra` where torch or the base is not there."""
    settings = card.read_settings(ModularSettings)
    if not card.model:
        raise BadInput(f"the card of reranker '{card.name}' names no base (model = …)", str(folder))
    base = folder / card.model
    ranker = load_ranker(
        base if base.is_dir() else card.model,
        folder / settings.ranking,
        folder / settings.languages if settings.languages else None,
        settings.setting,
        settings.invertible,
        card.max_length,
        runtime,
    )
    return ModularReranker(card, ranker)
