"""A reranker composed of a base, a ranking module and language modules."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from xsearch.core import BadInput, FloatArray, IntArray, UsageError
from xsearch.core.extras import need
from xsearch.encode.neural.dense import to_numpy
from xsearch.encode.neural.load import window
from xsearch.encode.neural.modules.base import Base, load_base
from xsearch.encode.neural.modules.card import Module, read_module
from xsearch.encode.neural.modules.composition import Composition
from xsearch.encode.neural.modules.folder import LanguageModules, check_base
from xsearch.encode.neural.modules.pairs import PairTokens, TokenPairs
from xsearch.encode.neural.runtime import Runtime
from xsearch.encode.neural.tokens import pad_number

SETTINGS = ("query", "document", "split", "both", "none")
"""Whose language module reads a pair: the query's reads all of it; the document's does (Litschko et al. 2022 find that
better); each reads its own segment; for changes of weights, both are added and read all; or no module."""
NEAREST = "texts in languages without a module, read by that of '{}', the nearest"
ALONE = "texts read by the ranking module alone, as neither their language nor a relative has a module"
Key = tuple[str, ...]
"""Languages whose modules stand below the ranking module."""


@dataclass(frozen=True)
class Slots:
    """Which stack reads each segment of each pair, int64 (pairs,)."""

    query: IntArray
    passage: IntArray


class ModularRanker:
    """Scores pairs of query and passage. Safe to share between threads; one of them computes at a time.

    base: the transformer. ranking: the module with the head. languages: modules to put below it. setting: one of
    `SETTINGS`. invertible: whether couplings at the embeddings take part; rankers are better without (Litschko et al.
    2022). limit: tokens of a pair, 0 for what the base allows. Raises `BadInput` where these do not belong together,
    `UsageError` for an unknown setting.
    """

    def __init__(
        self,
        base: Base,
        ranking: Module,
        languages: LanguageModules,
        setting: str = "document",
        invertible: bool = False,
        limit: int = 0,
    ) -> None:
        if setting not in SETTINGS:
            raise UsageError(f"unknown setting '{setting}': known are {', '.join(SETTINGS)}")
        if "head.weight" not in ranking.tensors:
            raise BadInput(f"module '{ranking.card.name}' has no head: it is a {ranking.card.role} module")
        self.setting, self.languages = setting, languages
        self._base, self._invertible = base, invertible
        self._ranking = on_device(ranking, base)
        self._composition = Composition(base.body, base.torch)
        self._composition.check(self._ranking)
        self._tokens = PairTokens(base.tokenizer, window(limit, base.as_first()))
        self._lock = threading.Lock()
        self._modules: dict[str, Module] = {}
        self._keys: list[Key] = []
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """What could not be done as asked, by kind: pairs cut short, languages that another's module read."""
        return dict(self._counts)

    def score(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        query_langs: Sequence[str],
        passage_langs: Sequence[str],
    ) -> FloatArray:
        """The score of each pair, float32 (len(queries),), higher is better; of a passage too long to be read at once
        the greatest of its windows' (MaxP). Pairs of all languages go through the base together, each token through
        its own stack."""
        if not len(queries):
            return np.zeros(0, dtype=np.float32)
        with self._lock, self._base.torch.inference_mode():
            parts, owners = self._tokens.windows(queries, passages)
            pairs = self._tokens.tokenise([queries[owner] for owner in owners], parts)
            self._counts.update({"pairs cut short": pairs.cut} if pairs.cut else {})
            found = self._slots(query_langs, passage_langs)
            slots = Slots(found.query[owners], found.passage[owners])
            scores = np.zeros(len(parts), dtype=np.float32)
            pending = self._base.budget.batches(pairs.lengths)
            while pending:
                rows = pending.pop()
                try:
                    scores[rows] = self._forward(pairs, slots, rows)
                except Exception as error:
                    pending = self._base.budget.halve(error, rows, pending, pairs.lengths)
        best: FloatArray = np.maximum.reduceat(scores, np.flatnonzero(np.diff(owners, prepend=-1)))
        return best

    def composition(self, query_lang: str, passage_lang: str) -> tuple[str, ...]:
        """The languages whose modules read a pair, () where the ranking module does alone."""
        return tuple(dict.fromkeys(lang for key in self._keys_of(query_lang, passage_lang) for lang in key))

    def _slots(self, query_langs: Sequence[str], passage_langs: Sequence[str]) -> Slots:
        keys = [self._keys_of(*pair) for pair in zip(query_langs, passage_langs, strict=True)]
        for pair in zip(query_langs, passage_langs, strict=True):
            self._count_strangers(*pair)
        wanted = list(dict.fromkeys(key for pair in keys for key in pair))
        if not set(wanted) <= set(self._keys):
            together = [*self._keys, *(key for key in wanted if key not in self._keys)]
            stacks = [[*(self._module(lang) for lang in key), self._ranking] for key in together]
            self._composition.compose(stacks, self._invertible)
            # Only now: a module that cannot be read leaves what is composed as it was.
            self._keys = together
        number = {key: place for place, key in enumerate(self._keys)}
        sides = np.array([[number[key] for key in pair] for pair in keys], dtype=np.int64).reshape(-1, 2)
        return Slots(sides[:, 0], sides[:, 1])

    def _keys_of(self, query_lang: str, passage_lang: str) -> tuple[Key, Key]:
        """The languages whose modules read the query's and the passage's tokens."""
        query, passage = (
            tuple(filter(None, (self.languages.language(lang) for lang in asked)))
            for asked in self._asked(query_lang, passage_lang)
        )
        if self.setting == "split":
            return query, passage
        both = tuple(sorted({*query, *passage}))
        return both, both

    def _asked(self, query_lang: str, passage_lang: str) -> tuple[Key, Key]:
        """The languages of the query and of the passage, as far as the setting lets them choose modules."""
        asks = self.setting not in ("document", "none"), self.setting not in ("query", "none")
        return (query_lang,) * asks[0], (passage_lang,) * asks[1]

    def _count_strangers(self, query_lang: str, passage_lang: str) -> None:
        """Count texts whose language has no module."""
        for lang in chain(*self._asked(query_lang, passage_lang)):
            found = self.languages.language(lang)
            if found is None:
                self._counts[ALONE] += 1
            elif found not in (lang, lang.partition("-")[0]):
                self._counts[NEAREST.format(found)] += 1

    def _module(self, lang: str) -> Module:
        if lang not in self._modules:
            module = on_device(self.languages.module(lang), self._base)
            self._composition.check(module)
            if self.setting == "both" and module.card.kind == "adapter":
                raise UsageError("the setting 'both' adds changes of weights up; adapters take 'split' instead")
            self._modules[lang] = module
        return self._modules[lang]

    def _forward(self, pairs: TokenPairs, slots: Slots, rows: IntArray) -> FloatArray:
        torch = self._base.torch
        grids = pairs.padded(rows, pad_number(self._base.tokenizer))
        grids[3] = np.where(grids[3] == 0, slots.query[rows][:, None], slots.passage[rows][:, None])
        numbers, mask, types, stack = (torch.from_numpy(grid).to(self._base.device) for grid in grids)
        self._composition.route(stack)
        states = self._base.states(numbers, mask, types)
        head = self._ranking.tensors
        scores = torch.nn.functional.linear(states[:, 0], head["head.weight"], head["head.bias"])
        return to_numpy(scores[:, 0])


def on_device(module: Module, base: Base) -> Module:
    """A module on its base's device, in its base's precision."""
    tensors = {
        name: tensor.to(base.device, base.dtype if tensor.is_floating_point() else None)
        for name, tensor in module.tensors.items()
    }
    return Module(module.card, tensors)


def load_ranker(
    base: str | Path,
    ranking: Path,
    languages: Path | None = None,
    setting: str = "document",
    invertible: bool = False,
    max_length: int = 0,
    runtime: Runtime | None = None,
) -> ModularRanker:
    """The ranker of a base (a folder or a name on the hub), a ranking module and a folder of language modules.

    Raises `BadInput` for modules of another base or damaged ones, `UsageError` for an unknown setting or a base that
    could run code, `MissingExtra` where torch or the base is not there.
    """
    need("torch", "neural", "a reranker")
    loaded = load_base(base, runtime or Runtime())
    module = read_module(ranking)
    check_base(module.card, loaded.fingerprint, ranking)
    modules = LanguageModules(None if setting == "none" else languages, loaded.fingerprint)
    if setting != "none" and languages is None:
        raise UsageError(f"the setting '{setting}' needs a folder of language modules; without one say 'none'")
    return ModularRanker(loaded, module, modules, setting, invertible, max_length)
