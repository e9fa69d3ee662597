"""Training on top of an encoder that is there: a domain, a language, from text that need not be much.

What the base knows stays what it is: its pieces keep their numbers and their codes unless training touches them, and
learn slowly. New words begin where translations and spelling put them and learn at full rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput, FloatArray, UsageError
from xsearch.encode import EncoderCard, StaticEncoder, load_encoder
from xsearch.encode.codes import CodedRows, code_with
from xsearch.encode.pooling import unit_rows
from xsearch.train.extension import extended_rows
from xsearch.train.fitting import Saved, fit
from xsearch.train.heldout import language_accuracy
from xsearch.train.model import StaticModel
from xsearch.train.piecetables import piece_tables
from xsearch.train.preparation import Prepared
from xsearch.train.progress import OnProgress
from xsearch.train.recipe import Further, StaticRecipe, Translated
from xsearch.train.rows import own_sources
from xsearch.train.samplers import recipe_sampler
from xsearch.train.translated import PieceTable


def known_encoder(settings: Further, card: Path) -> StaticEncoder:
    """The encoder to train on top of, into `card`. Raises `BadInput` where it is none of subword vectors, `UsageError`
    where it would be overwritten, and as `load_encoder`."""
    if card.is_file() and settings.base and Path(settings.base).resolve() in (card.resolve(), card.parent.resolve()):
        raise UsageError(f"{card} is what is to be trained further: give the result another --name, or another --out")
    base = load_encoder(settings.base or None)
    if not isinstance(base, StaticEncoder):
        raise BadInput(f"{base.card.name} is no static encoder, which alone can be trained further in this way")
    return base


def completed(recipe: StaticRecipe, base: StaticEncoder, data: Path) -> StaticRecipe:
    """The recipe with what is the base's, and the sources of `data` where it names none."""
    return msgspec.structs.replace(
        recipe,
        sources=recipe.sources or own_sources(data),
        licence=base.card.licence or recipe.licence,
        window=base.card.window,
        objective=msgspec.structs.replace(recipe.objective, dim=base.card.dim),
    )


def fit_further(
    recipe: StaticRecipe,
    base: StaticEncoder,
    prepared: Prepared,
    held: NDArray[np.bool_],
    seed: int,
    saved: Saved,
    on_progress: OnProgress,
) -> tuple[StaticModel, CodedRows, dict[str, float]]:
    """`base` after all steps, in codes, and how well it did before them, as scores of a card."""
    settings = recipe.further or Further()
    known = len(base.inventory)
    rows = extended_rows(base.inventory, base.table.rows(np.arange(known)), prepared.pieces)
    before = language_accuracy(StaticModel.of_rows(rows), prepared.rows, held, prepared.languages)
    source = pivot_language(base, prepared)
    tables = piece_tables(prepared.rows, held, source, recipe.translated or Translated(), seed, on_progress)
    model = further_start(rows, known, tables.values(), settings)
    unmoved = model.rows()
    rates = learning_rates(len(rows), known, settings)
    sampler = recipe_sampler(recipe, prepared, held, tables, source)
    model = fit(model, sampler, recipe.objective, seed, on_progress, saved, rates)
    told = {f"{code}, rows kept from training, {base.card.name}": score for code, score in before.items()}
    return model, coded_further(base.table, model.rows(), unmoved), told


def on_top_of(base: StaticEncoder, card: EncoderCard, recipe: StaticRecipe) -> EncoderCard:
    """The card of what was trained on top of `base`: with the base's name, sources, and scores of the languages that it
    knows already, unless words of theirs became pieces or its scores were assumed. What was measured becomes scores of
    their own."""
    known, settings = base.card, recipe.further or Further()
    measured = {code: score for code, score in card.languages.items() if code not in card.unmeasured}
    own = {f"{code}, rows kept from training": score for code, score in measured.items()}
    new = {
        code: score
        for code, score in card.languages.items()
        if not base.supports(code)
        or code in settings.extension.languages
        or (code in known.unmeasured and code in measured)
    }
    assumed = ({*known.unmeasured} - {*new}) | ({*card.unmeasured} & {*new})
    return msgspec.structs.replace(
        card,
        base=f"{known.name} {known.fingerprint}",
        extends=(*known.extends, base.vocabulary),
        prefixes=known.prefixes,
        unmeasured=tuple(sorted(assumed)),
        languages=dict(sorted((known.languages | new).items())),
        scores=dict(sorted((card.scores | own).items())),
        sources=(*known.sources, *card.sources),
    )


def pivot_language(base: StaticEncoder, prepared: Prepared) -> int:
    """The language, by number, that new words are understood through: of those that the base knows the one with most
    texts. Raises `BadInput` where it knows none."""
    counts = [
        count if base.supports(code) else 0
        for code, count in zip(prepared.languages, prepared.language_counts, strict=True)
    ]
    if not any(counts):
        raise BadInput(f"{base.card.name} knows none of the languages of the data: {', '.join(prepared.languages)}")
    return int(np.argmax(counts))


def further_start(rows: FloatArray, known: int, tables: Iterable[PieceTable], settings: Further) -> StaticModel:
    """Where training starts: `rows` (pieces, dim) with the pieces from `known` on moved to what they translate.

    A piece r with translations l of weights w_l has the direction of  s · n(v_r) + (1 − s) · n(Σ_l w_l n(v_l)),  n(·)
    scaling to length 1, s = `settings.spelling`, and the length Σ_l w_l |v_l| / Σ_l w_l: a mean of known vectors by
    similarity (Minixhofer, Paischer and Rekabsaz 2022, "WECHSEL", equation 4), where similarity is the probability of
    translation, learnt from the text itself.
    """
    joined = list(tables)
    left, right, weights = (
        np.concatenate([np.empty(0, dtype=kind), *(getattr(table, name) for table in joined)])
        for name, kind in (("left", np.int64), ("right", np.int64), ("weights", np.float32))
    )
    lengths = np.linalg.norm(rows, axis=1)
    new = (right >= known) & (left < known) & (lengths[np.minimum(left, known - 1)] > 0)
    left, right, weights = left[new], right[new], weights[new]
    moved, place = np.unique(right, return_inverse=True)
    sums = np.zeros((len(moved), rows.shape[1]), dtype=np.float32)
    np.add.at(sums, place, unit_rows(rows[left]) * weights[:, None])
    by_weight = np.bincount(place, weights=weights * lengths[left], minlength=len(moved))
    length = by_weight / np.bincount(place, weights=weights, minlength=len(moved))
    own = np.float32(settings.spelling) * unit_rows(rows[moved])
    direction = unit_rows(own + np.float32(1 - settings.spelling) * unit_rows(sums))
    started = rows.copy()
    started[moved] = direction * length[:, None].astype(np.float32)
    return StaticModel.of_rows(started)


def learning_rates(pieces: int, known: int, settings: Further) -> FloatArray:
    """What each piece's learning rate is multiplied with, float32 (pieces,)."""
    rates = np.ones(pieces, dtype=np.float32)
    rates[:known] = settings.known_rate
    return rates


def coded_further(base: CodedRows, rows: FloatArray, before: FloatArray) -> CodedRows:
    """`rows` in the base's codebook; of its pieces those alone are coded anew whose row differs from `before`."""
    known = len(base)
    moved = (rows[:known] != before[:known]).any(axis=1)
    coded = code_with(base.codebook, np.concatenate([rows[:known][moved], rows[known:]]))
    codes, scales = np.array(base.codes), base.scales.copy()
    among = int(moved.sum())
    codes[moved], scales[moved] = coded.codes[:among], coded.scales[:among]
    return CodedRows(
        np.concatenate([codes, coded.codes[among:]]), np.concatenate([scales, coded.scales[among:]]), base.codebook,
        base.dim,
    )  # fmt: skip
