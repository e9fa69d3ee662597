"""Training the small reranker from parallel text: `xsearch train small-reranker`."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import PieceEncoder, has_pieces, load_encoder
from xsearch.encode.card import write_toml
from xsearch.rank.rerank import RerankerCard
from xsearch.rank.rerank.small import FEATURES, final_scores, witnessed
from xsearch.train.recipe import Source
from xsearch.train.rows import excluded_files, read_excluded, read_parallel
from xsearch.train.small_reranker.lists import AnsweredList, answered_lists, make_index
from xsearch.train.small_reranker.listwise import Judged, fit_weights, reciprocal_rank
from xsearch.train.small_reranker.questions import Drawer, Material, make_material
from xsearch.train.small_reranker.recipe import Collection, SmallRecipe
from xsearch.train.static import source_notes

HELD_OUT = 5
"""Every so many-th list is kept from training, to be scored by."""
OnStage = Callable[[str, int, int], None]
"""Told a stage ("read", "index", "ask"), what is done of it, and of how much."""


def train_small_reranker(
    recipe: SmallRecipe,
    data: Path,
    out: Path,
    on_progress: OnStage = lambda stage, done, total: None,
    encoder_card: Path | None = None,
) -> RerankerCard:
    """Learn the weights that `recipe` describes from the files of `data`; write `out/NAME.toml`. Returns the card.

    encoder_card: of the encoder that the recipe names, where it is not the one that ships but will be.

    The same recipe and data give the same weights on the same machine and library versions. Raises `BadInput` for data
    that cannot be used.
    """
    named = str(encoder_card or recipe.encoder)
    encoder = load_encoder(named)
    if not has_pieces(encoder):
        raise BadInput(f"encoder '{named}' has no pieces: name a static one")
    excluded = read_excluded(excluded_files(recipe.exclude, data))
    lists: list[AnsweredList] = []
    files: list[str] = []
    for collection in recipe.collections:
        drawer = Drawer(recipe.versions, random.Random(f"{recipe.seed} {collection.name}"))
        material, read = _material(collection, data, excluded, drawer, on_progress)
        files += [file for file in read if file not in files]
        lists += _asked(recipe, named, collection, material, encoder, on_progress)
    weights, agreement = fit([own for number, own in enumerate(lists) if number % HELD_OUT], recipe.ridge)
    weights[FEATURES.index("fused")] *= recipe.caution
    unseen = lists[::HELD_OUT]
    right = [own.right for own in unseen]
    fused = [own.measured.features[:, FEATURES.index("fused")] for own in unseen]
    reranked = [final_scores(own.measured, weights, agreement, recipe.spelled) for own in unseen]
    card = RerankerCard(
        name=recipe.name,
        kind="reranker-small",
        licence=recipe.licence,
        description=recipe.description,
        depth=recipe.depth,
        settings={
            "encoder": recipe.encoder,
            "agreement": round(agreement, 4),
            "spelled": recipe.spelled,
            **{name: round(weight, 4) for name, weight in zip(FEATURES, weights.tolist(), strict=True)},
        },
        scores={
            "heldout_rr_fused": round(reciprocal_rank(fused, right), 4),
            "heldout_rr_reranked": round(reciprocal_rank(reranked, right), 4),
        },
        recipe=recipe.name,
        sources=source_notes(data, files, ()),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_toml(card, out / f"{recipe.name}.toml")
    return card


def fit(lists: Sequence[AnsweredList], ridge: float) -> tuple[FloatArray, float]:
    """w and γ of `rank.rerank.small.model`: first the weights of the features, float32 (f,), then, with the scores they
    make, what agreement is worth beside them."""
    weights = fit_weights([Judged(own.measured.features, own.right) for own in lists], ridge).astype(np.float32)
    both = []
    for own in lists:
        first = own.measured.features @ weights
        both.append(Judged(np.stack([first, witnessed(own.measured, first)], axis=1), own.right))
    unit, agreement = fit_weights(both, ridge).tolist()
    return weights, agreement / unit


def _material(
    collection: Collection, data: Path, excluded: frozenset[int], drawer: Drawer, on_progress: OnStage
) -> tuple[Material, list[str]]:
    """The collection's documents and questions, and the files they are from."""
    found, read = Material([], []), []
    for done, glob in enumerate(collection.files):
        on_progress(f"read {collection.name}", done, len(collection.files))
        parallel = read_parallel(data, (Source(glob),), excluded)
        read += parallel.files
        made = make_material(parallel, Path(glob).name.partition(".")[0], collection.documents, drawer)
        found.documents.extend(made.documents)
        found.questions.extend(made.questions)
    if not found.questions:
        raise BadInput(f"collection '{collection.name}' has no document that anything asks for", str(data))
    drawer.rng.shuffle(found.questions)
    return found, read


def _asked(
    recipe: SmallRecipe,
    named: str,
    collection: Collection,
    material: Material,
    encoder: PieceEncoder,
    on_progress: OnStage,
) -> list[AnsweredList]:
    questions = material.questions[: collection.questions]
    with tempfile.TemporaryDirectory(prefix="xsearch-") as scratch:
        on_progress(f"index {collection.name}", 0, len(material.documents))
        make_index(Path(scratch) / "index", recipe.index, named, material)
        return list(
            answered_lists(
                Path(scratch) / "index",
                questions,
                encoder,
                recipe.depth,
                lambda done: on_progress(f"ask {collection.name}", done, len(questions)),
            )
        )
