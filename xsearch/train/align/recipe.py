"""What makes translation tables, as a file: data and their weights, languages, alignment, pruning, seed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xsearch.train.align.symmetrise import SYMMETRISED
from xsearch.train.recipe import Source
from xsearch.train.recipe_file import read_recipe, refuse


class Alignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pieces are aligned.

    model1, hmm: iterations of each. null: probability of the empty word. prior: of the Dirichlet distribution over
    translations, 0 for none. agreement: both directions are counted by the product of their posteriors.
    symmetrisation: how the final posteriors are joined, a name of `xsearch.train.align.symmetrise`. most_tokens:
    longer sentences are left out. most_cells: so many pairs of a left and a right place are learnt from, in the
    shortest sentences.
    """

    model1: int = 4
    hmm: int = 2
    null: float = 0.1
    prior: float = 0.0
    agreement: bool = True
    symmetrisation: str = "product"
    most_tokens: int = 80
    most_cells: int = 25_000_000


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a table is stored: entries that are, in one direction or the other, among the `alternatives` likeliest
    of their piece, within its first `cumulative` probability, not below `min_probability`, and counted at least
    `least_count` times."""

    min_probability: float = 0.01
    cumulative: float = 0.95
    alternatives: int = 12
    least_count: float = 0.05


class TablesRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole recipe.

    base: tables to build on, by name or path: then `sources` may be left out, for all files of the data folder, and
    `languages`, for all it has. languages: those with a table to and from English. variants: codes in the data whose
    texts count as another's. direct: pairs "de-fr" with a table of their own. least_pairs: a pair of languages with
    fewer sentence pairs is left out. floor: one that scores less is not supported. One that cannot be measured, since
    too few of its rows were kept from training, counts as the lower quartile of those that can. A source's `weight` is
    what a row of it counts.
    exclude: globs, relative to the data folder, of files whose texts may not be learnt from.
    """

    name: str
    sources: tuple[Source, ...] = ()
    languages: tuple[str, ...] = ()
    base: str = ""
    exclude: tuple[str, ...] = ()
    variants: dict[str, str] = {}
    direct: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    description: str = ""
    seed: int = 1
    least_pairs: int = 500
    floor: float = 0.1
    alignment: Alignment = Alignment()
    pruning: Pruning = Pruning()

    def pairs(self) -> list[tuple[str, str]]:
        """(rows, columns) of every table, those with English first."""
        return [("en", code) for code in self.languages] + [_split(pair) for pair in self.direct]


def load_tables_recipe(path: Path) -> TablesRecipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput` for unknown keys, wrong types
    and impossible values."""
    recipe = read_recipe(path, TablesRecipe)
    _check(recipe, path)
    return recipe


def overridden(recipe: TablesRecipe, base: str = "", name: str = "", exclude: tuple[Path, ...] = ()) -> TablesRecipe:
    """The recipe with what a user has said instead, where it is not empty."""
    return msgspec.structs.replace(
        recipe,
        base=base or recipe.base,
        name=name or recipe.name,
        exclude=tuple(str(path.resolve()) for path in exclude) or recipe.exclude,
    )


def _split(pair: str) -> tuple[str, str]:
    rows, _, columns = pair.partition("-")
    return rows, columns


def _check(recipe: TablesRecipe, path: Path) -> None:
    alignment, pruning = recipe.alignment, recipe.pruning
    problems = {
        "no sources": not (recipe.sources or recipe.base),
        "no languages": not (recipe.languages or recipe.base),
        "'en' is the language all others are paired with: leave it out of `languages`": "en" in recipe.languages,
        "a language stands twice in `languages`": len(set(recipe.languages)) < len(recipe.languages),
        "`direct` must name pairs of two `languages`, as 'de-fr'": any(
            len(set(_split(pair)) & set(recipe.languages)) < 2 for pair in recipe.direct
        ),
        "alignment needs an iteration of model1": alignment.model1 < 1 or alignment.hmm < 0,
        "alignment.null must lie in (0, 1)": not 0 < alignment.null < 1,
        "alignment.prior must not be negative": alignment.prior < 0,
        "alignment.most_tokens must lie in 1..128": not 1 <= alignment.most_tokens <= 128,
        f"alignment.symmetrisation must be one of {', '.join(SYMMETRISED)}": alignment.symmetrisation
        not in SYMMETRISED,
        "pruning.alternatives must lie in 1..255": not 1 <= pruning.alternatives <= 255,
        "a source's weight must not be negative": any(source.weight < 0 for source in recipe.sources),
    }
    refuse(problems, path)
