"""What trains a static encoder, as a file: data and their weights, vocabulary, objective, seed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xsearch.core import UsageError
from xsearch.train.recipe_file import read_recipe, refuse


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the data folder and how much they count.

    files: a glob relative to the data folder; a file belongs to the first source that matches it. weight: relative
    probability of a row of it. documents: rows stand in the order of running text, so that a row's neighbours are its
    context. licence: what the card states where the data folder has no `sources.json`.
    """

    files: str
    weight: float = 1.0
    documents: bool = False
    licence: str = ""


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Subwords: how many, learnt from how many texts, sampled by (texts of the language) ** `language_exponent`."""

    size: int = 100_000
    texts: int = 500_000
    language_exponent: float = 0.4


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pairs are drawn.

    A row: by its source's weight times min(texts, `row_cap`) ** `row_exponent`. Languages within a row: by (texts of
    the language) ** `language_exponent`. `section_share` of the pairs are a section's title and a stretch of its
    text; `context_share` are a sentence and a window of rows around it or beside it.
    """

    row_cap: int = 20
    row_exponent: float = 0.7
    language_exponent: float = -0.5
    section_share: float = 0.1
    context_share: float = 0.15
    max_tokens: int = 64
    window: int = 48
    dropout: float = 0.1


class Translated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sentences translated piece by piece (`xsearch.train.translated`).

    share: of the pairs. source: the language translated from. size_exponent: a language is drawn by (pieces its table
    translates) ** this. least: a sentence counts when so much of it has a translation. switch: how often a piece
    stays as it is. pairs, lexicon_pairs: most sentence and dictionary pairs a language's table is learnt from.
    """

    share: float = 0.3
    source: str = "en"
    size_exponent: float = 0.8
    least: float = 0.6
    switch: float = 0.15
    pairs: int = 20_000
    lexicon_pairs: int = 60_000


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pieces added to a known vocabulary (`xsearch.train.extension`).

    languages: whose words are looked at; none stands for those that the base does not know. pieces: at most so many
    words, and so many pieces with new letters. least: a word counts when it occurs so often.
    """

    languages: tuple[str, ...] = ()
    pieces: int = 10_000
    least: int = 5


class Further(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Training on top of an encoder (`xsearch.train.further`).

    base: its name, or the path of its card. known_rate: the learning rate of the pieces it has, relative to that of
    new ones. spelling: how much of a new word's first vector is that of its parts, the rest being that of its
    translations.
    """

    base: str = ""
    known_rate: float = 0.1
    spelling: float = 0.3
    extension: Extension = Extension()


class Cycle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run of steps with accumulators of its own. The learning rate rises linearly over the first `warmup` of the
    steps and falls linearly over all, to `last` of it."""

    steps: int
    learning_rate: float
    warmup: float = 0.0
    last: float = 0.0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / (self.warmup * self.steps)) if self.warmup else 1.0
        return self.learning_rate * rise * (1 - (1 - self.last) * step / self.steps)


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Vectors and how they are fitted: see `xsearch.train.contrastive` and `xsearch.train.model`.

    cuts: lengths below `dim` at which the first numbers of a vector are to serve as a vector too.
    """

    dim: int = 256
    cuts: tuple[int, ...] = ()
    batch: int = 2048
    scale: float = 20.0
    margin: float = 0.15
    cycles: tuple[Cycle, ...] = (Cycle(steps=6000, learning_rate=0.03),)


class StaticRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole recipe. `exclude` lists globs, relative to the data folder, of files whose texts may not be trained on.

    further: None trains from scratch; else `sources` may be left out, for all files of the data folder, and
    `vocabulary`, `group`, `window`, `licence` and `objective.dim` are the base's.
    translated: None trains on the pairs of the data alone, from random vectors. romanised: of the rows with texts in
    other scripts than Latin, the share that get a copy of one in Latin letters (`xsearch.train.romanised`).
    group: numbers of a vector that share a byte (`xsearch.encode.codes`). window: tokens of a passage window in use.
    licence: of the encoder. description: for its card.
    """

    name: str
    sources: tuple[Source, ...] = ()
    exclude: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    description: str = ""
    seed: int = 1
    group: int = 3
    window: int = 80
    romanised: float = 0.0
    vocabulary: Vocabulary = Vocabulary()
    sampling: Sampling = Sampling()
    translated: Translated | None = None
    further: Further | None = None
    objective: Objective = Objective()


def load_recipe(path: Path) -> StaticRecipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput` for unknown keys, wrong types
    and impossible values."""
    recipe = read_recipe(path, StaticRecipe)
    _check(recipe, path)
    return recipe


def overridden(
    recipe: StaticRecipe,
    base: str = "",
    name: str = "",
    extend: tuple[str, ...] = (),
    exclude: tuple[Path, ...] = (),
    steps: int | None = None,
) -> StaticRecipe:
    """The recipe with what a user has said instead, where it is not empty: the encoder to train on top of, the name,
    the languages whose words become pieces, files to exclude, the steps of every cycle. Raises `UsageError` for
    `extend` without base."""
    further = recipe.further
    if base:
        further = msgspec.structs.replace(further or Further(), base=base)
    if extend:
        if further is None:
            raise UsageError("--extend belongs to --from: a vocabulary that is learnt anew has all languages' words")
        extension = msgspec.structs.replace(further.extension, languages=extend)
        further = msgspec.structs.replace(further, extension=extension)
    cycles = recipe.objective.cycles
    if steps:
        cycles = tuple(msgspec.structs.replace(cycle, steps=steps) for cycle in cycles)
    objective = msgspec.structs.replace(recipe.objective, cycles=cycles)
    excluded = tuple(str(path.resolve()) for path in exclude) or recipe.exclude
    return msgspec.structs.replace(
        recipe, further=further, name=name or recipe.name, exclude=excluded, objective=objective
    )


def _check(recipe: StaticRecipe, path: Path) -> None:
    problems = {
        "no sources": not recipe.sources and recipe.further is None,
        "further.known_rate and spelling must lie in [0, 1]": recipe.further is not None
        and not (0 <= recipe.further.known_rate <= 1 and 0 <= recipe.further.spelling <= 1),
        "group must be at least 1": recipe.group < 1,
        "objective.dim must be a positive multiple of 8": recipe.objective.dim <= 0 or recipe.objective.dim % 8 != 0,
        "objective.cuts must lie between 0 and objective.dim": not all(
            0 < cut < recipe.objective.dim for cut in recipe.objective.cuts
        ),
        "romanised must lie in [0, 1]": not 0 <= recipe.romanised <= 1,
        "objective.batch must be at least 2": recipe.objective.batch < 2,
        "a cycle's steps must be at least 1": any(cycle.steps < 1 for cycle in recipe.objective.cycles),
        "a cycle's warmup and last must lie in [0, 1]": any(
            not (0 <= cycle.warmup <= 1 and 0 <= cycle.last <= 1) for cycle in recipe.objective.cycles
        ),
        "sampling.dropout must lie in [0, 1)": not 0 <= recipe.sampling.dropout < 1,
        "translated.share, least and switch must lie in [0, 1]": recipe.translated is not None
        and not all(0 <= x <= 1 for x in (recipe.translated.share, recipe.translated.least, recipe.translated.switch)),
        "a source's weight must not be negative": any(source.weight < 0 for source in recipe.sources),
    }
    refuse(problems, path)
