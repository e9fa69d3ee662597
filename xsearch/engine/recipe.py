"""Index recipes: which retrievers, encoder, passages and fusion an index has. TOML in `indexes/`, one copy."""

from __future__ import annotations

import math
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from xsearch.core.data import data_path
from xsearch.core.errors import BadInput, UnknownLanguage, UsageError
from xsearch.engine.parts import RETRIEVERS, parts_of
from xsearch.lang import base_language, normalize_code
from xsearch.rank.fusion import METHODS


class PassageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How documents are cut: at sentence ends, at most about `max_words` words each."""

    max_words: int = 180


class FusionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How retrievers' rankings become one: `method` of `rank.fusion`, a weight per retriever, and `depth`, the
    passages each retriever returns per language before fusion."""

    method: str = "fair"
    depth: int = 100
    weights: dict[str, float] = msgspec.field(default_factory=dict)


class DenseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the dense retriever keeps vectors. dim: components they are cut to before, 0 for all of them; for encoders
    trained to be cut (Matryoshka). codes: "int8", "fp32", "fp16" or "binary" (`retrieve.stored`). search: "auto" has
    large segments scanned in a quantised form first (`retrieve.fastscan`), "exact" has every window scored. gpu: what
    large segments become on a GPU (`retrieve.gpu`)."""

    dim: int = 0
    codes: Literal["int8", "fp32", "fp16", "binary"] = "int8"
    search: Literal["auto", "exact"] = "auto"
    gpu: Literal["flat", "ivf-flat", "ivf-pq", "cagra"] = "flat"


class PsqSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How words are found in translation. model: what is made of expected counts (`retrieve.psq`). langs: languages of
    questions for which passages are translated when they are indexed; questions in others are translated when they are
    asked."""

    model: Literal["bm25", "hmm"] = "bm25"
    langs: tuple[str, ...] = ()


class ColbertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the vectors of tokens are kept. bits: of a component of what is left beside a centroid;
    2 halve the index and exchange a tenth of the best hundred passages for others nearly as good."""

    bits: Literal[1, 2, 4] = 4


class RerankSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What scores the best documents again: `reranker`, a name or the path of a card, "" for none; `depth` documents, 0
    for what its card says, of each the `passages` that were found first."""

    reranker: str = ""
    depth: int = 0
    passages: int = 1


class FeedbackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Relevance feedback by RM3 as Anserini has it: `terms` of the `docs` passages found best are added to the query,
    whose own terms keep the share `weight`."""

    docs: int = 10
    terms: int = 10
    weight: float = 0.5


class LuceneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How Lucene scores: BM25's k1 and b (Anserini's, where none are given), feedback where the table `rm3` is there.
    python: the interpreter that has pyserini, "" for this one; XSEARCH_LUCENE_PYTHON comes before it."""

    k1: float = 0.9
    b: float = 0.4
    rm3: FeedbackSettings | None = None
    python: str = ""


Use = Literal["words", "windows", "vectors"]
USES: tuple[str, ...] = get_args(Use)
"""What may be made of generated questions."""


class AugmentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Questions generated from passages, and what retrievers make of them (`engine.augmentation`).

    generator: "lexical", or the path of a model. langs: the questions' languages. count: of each passage in each
    language. use: "words", an index of their words by language; "windows", each question's vector beside the
    passage's; "vectors", a sum of both, alpha of the questions'. alphas: that of a pair of languages, "en-de" for
    English questions of German passages. round_trip: a question counts if it finds its passage among so many; 0 for
    all questions. seed: of what is drawn at random.
    """

    generator: str = ""
    langs: tuple[str, ...] = ()
    count: int = 5
    use: tuple[Use, ...] = ("words",)
    alpha: float = 0.01
    alphas: dict[str, float] = {}
    round_trip: int = 0
    seed: int = 0

    def alpha_of(self, question: str, passage: str) -> float:
        """The share of a question's vector beside a passage's, by their languages."""
        return self.alphas.get(f"{question}-{passage}", self.alpha)


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an index is made of. encoder: of the retrievers that need one; None stands for the encoder that ships.
    encoders: by retriever, for one that has another. tables: a file of translation tables, None for those that ship.
    augment: questions generated from passages; what `xsearch augment` does with them, None without any.
    """

    name: str
    title: str = ""
    retrievers: tuple[str, ...] = ("bm25", "dense")
    encoder: str | None = None
    tables: str | None = None
    encoders: dict[str, str] = msgspec.field(default_factory=dict)
    passages: PassageSettings = PassageSettings()
    dense: DenseSettings = DenseSettings()
    lucene: LuceneSettings = LuceneSettings()
    augment: AugmentSettings | None = None
    psq: PsqSettings = PsqSettings()
    colbert: ColbertSettings = ColbertSettings()
    fusion: FusionSettings = FusionSettings()
    rerank: RerankSettings = RerankSettings()

    def encoder_of(self, retriever: str) -> str | None:
        """The name or path of a retriever's encoder, None for the encoder that ships."""
        return self.encoders.get(retriever, self.encoder)

    def weight(self, retriever: str) -> float:
        """A retriever's weight in the fusion, 1 where the recipe names none."""
        return self.fusion.weights.get(retriever, 1.0)


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe's TOML. Raises `BadInput` that names the key that is unknown or of the wrong type."""
    try:
        recipe = msgspec.convert(tomllib.loads(text), Recipe)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"not a recipe: {error}", where) from error
    unknown = [name for name in recipe.retrievers if name not in RETRIEVERS]
    if unknown or not recipe.retrievers:
        raise BadInput(f"retrievers are {', '.join(RETRIEVERS)}; the recipe asks for {unknown or 'none'}", where)
    if stray := [name for name in recipe.encoders if name not in recipe.retrievers]:
        raise BadInput(f"an encoder for '{stray[0]}', which is none of the recipe's retrievers", where)
    if recipe.dense.dim < 0:
        raise BadInput("dense.dim is 0 (all) or more", where)
    if recipe.passages.max_words < 1 or recipe.fusion.depth < 1:
        raise BadInput("passages.max_words and fusion.depth must be at least 1", where)
    if recipe.rerank.depth < 0 or recipe.rerank.passages < 1:
        raise BadInput("rerank.depth is 0 or more, rerank.passages at least 1", where)
    _check_lucene(recipe.lucene, where)
    try:
        languages_asked(recipe)
    except UnknownLanguage as error:
        raise BadInput(f"psq.langs: {error}", where) from error
    if recipe.fusion.method not in METHODS:
        raise BadInput(f"unknown fusion '{recipe.fusion.method}': known are {', '.join(METHODS)}", where)
    if any(not weight >= 0 for weight in recipe.fusion.weights.values()):
        raise BadInput("weights are 0 or more", where)
    return recipe


def _check_lucene(lucene: LuceneSettings, where: str) -> None:
    if not (0 <= lucene.k1 < math.inf and 0 <= lucene.b <= 1):
        raise BadInput("lucene.k1 is 0 or more, lucene.b between 0 and 1", where)
    rm3 = lucene.rm3
    if rm3 and not (rm3.docs >= 1 and rm3.terms >= 1 and 0 <= rm3.weight <= 1):
        raise BadInput("lucene.rm3.docs and terms are at least 1, weight between 0 and 1", where)


def languages_asked(recipe: Recipe) -> list[str]:
    """The languages of questions for which passages are translated, as tables name them."""
    return list(dict.fromkeys(base_language(normalize_code(code)) for code in recipe.psq.langs))


def recipe_parts(recipe: Recipe) -> list[str]:
    """The parts of an index of this recipe."""
    translated = recipe.psq.langs
    own = (["expected"] if name == "psq" and translated else parts_of([name]) for name in recipe.retrievers)
    return list(dict.fromkeys(chain.from_iterable(own)))


def first_state(recipe: Recipe, part: str) -> dict[str, Any]:
    """The state of a part that holds nothing yet: what of the recipe it is to know."""
    if part == "lucene":
        settings: dict[str, Any] = msgspec.to_builtins(recipe.lucene)
        return settings
    if part == "expected":
        return {"langs": languages_asked(recipe)}
    if part == "colbert":
        return {"bits": recipe.colbert.bits}
    return {"codes": recipe.dense.codes, "search": recipe.dense.search} if part == "dense" else {}


def known_recipes() -> dict[str, Path]:
    """Recipes that ship, by name."""
    return {path.stem: path for path in sorted(data_path("indexes").glob("*.toml"))}


def load_recipe(name: str | Path) -> Recipe:
    """A recipe that ships, by name, or one in a file. Raises `UsageError` for a name nobody knows."""
    path = Path(name)
    if path.suffix != ".toml":
        known = known_recipes()
        if str(name) not in known:
            raise UsageError(f"unknown recipe '{name}': known are {', '.join(known)}, or give a .toml file")
        path = known[str(name)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the recipe: {error}", str(path)) from error
    return parse_recipe(text, str(path))


def parse_stored(settings: dict[str, object]) -> Recipe:
    """The recipe as a manifest keeps it."""
    return msgspec.convert(settings, Recipe)


def stored(recipe: Recipe) -> dict[str, object]:
    """A recipe as plain data for the manifest."""
    settings: dict[str, object] = msgspec.to_builtins(recipe)
    return settings
