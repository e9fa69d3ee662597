"""The sampler a recipe asks for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xsearch.train.fitting import Sampler
from xsearch.train.preparation import Prepared
from xsearch.train.recipe import StaticRecipe
from xsearch.train.sampling import PairSampler
from xsearch.train.translated import PieceTable, TranslatingSampler, Translator


def recipe_sampler(
    recipe: StaticRecipe, prepared: Prepared, held: NDArray[np.bool_], tables: Mapping[int, PieceTable], source: int
) -> Sampler:
    """Pairs of the data, beside sentences of the language numbered `source` translated by `tables` if the recipe
    translates and there are any."""
    columns = prepared.rows, prepared.titles, prepared.bodies
    pairs = PairSampler(*columns, recipe.sources, recipe.sampling, prepared.language_counts, held)
    if recipe.translated is None or not tables:
        return pairs
    return TranslatingSampler(pairs, Translator(tables, len(prepared.pieces)), source, recipe.translated)
