"""What trains the small reranker, as a file: which texts, how many questions, how strongly weights are held back."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xsearch.train.recipe_file import read_recipe, refuse


class Collection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts that one index is made of.

    files: globs relative to the data folder. documents: most of each file. questions: most in all.
    """

    name: str
    files: tuple[str, ...]
    documents: int = 1000
    questions: int = 1000


class SmallRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole recipe.

    index: the recipe of the indexes that are searched. encoder: whose vectors are compared. depth: passages of a list.
    versions: numbers of languages that a document is put into the index in, drawn alike. ridge: λ of
    `listwise.fit_weights`. spelled: λ of `rank.rerank.small.model`, chosen by hand. caution: what the fitted weight of
    the fused score is multiplied by. exclude: globs, relative to the data folder, of files whose texts may not be
    learnt from.
    """

    name: str
    collections: tuple[Collection, ...]
    exclude: tuple[str, ...] = ()
    index: str = "hybrid"
    encoder: str = "xsearch-static-v2"
    depth: int = 100
    versions: tuple[int, ...] = (1, 2, 4)
    ridge: float = 0.001
    spelled: float = 0.0
    caution: float = 1.0
    seed: int = 1
    licence: str = "Apache-2.0"
    description: str = ""


def load_small_recipe(path: Path) -> SmallRecipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput` for unknown keys, wrong types
    and impossible values."""
    recipe = read_recipe(path, SmallRecipe)
    names = [collection.name for collection in recipe.collections]
    counts = [count for collection in recipe.collections for count in (collection.documents, collection.questions)]
    problems = {
        "no collections": not names,
        "two collections of one name": len(set(names)) < len(names),
        "depth must be at least 2": recipe.depth < 2,
        "ridge must be above 0": not recipe.ridge > 0,
        "caution must be above 0": not recipe.caution > 0,
        "versions must be numbers above 0": not recipe.versions or min(recipe.versions) < 1,
        "documents and questions must be at least 1": min(counts, default=1) < 1,
    }
    refuse(problems, path)
    return recipe
