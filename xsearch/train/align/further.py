"""Tables on top of tables: languages that are new beside those that are there, more text for those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import BadInput, UsageError
from xsearch.core.data import data_path
from xsearch.encode import StaticEncoder
from xsearch.lang.translation_file import SUFFIX
from xsearch.train.align.card import TablesCard
from xsearch.train.align.prepared import Prepared
from xsearch.train.align.pruning import JointCounts, pruned
from xsearch.train.align.recipe import Pruning, TablesRecipe
from xsearch.train.align.stored import Pair, read_joint
from xsearch.train.rows import own_sources


@dataclass(frozen=True, eq=False)
class BaseTables:
    """Tables to build on. joint: by pair, relative to the largest of it. scores: there and back. card: beside them."""

    joint: Mapping[Pair, JointCounts]
    scores: Mapping[Pair, tuple[float, float]]
    card: TablesCard


def base_card(name_or_path: str) -> tuple[TablesCard, Path]:
    """The card of tables by the name of such as ship, or by the path of the card or of the tables beside it; and where
    the tables are. Raises `UsageError` for a name that nobody knows, `BadInput` for a card that is none."""
    path = Path(name_or_path)
    if path.suffix not in (".toml", SUFFIX):
        path = data_path("encoders") / f"{name_or_path}.toml"
    path = path.with_suffix(".toml")
    try:
        card = msgspec.toml.decode(path.read_bytes(), type=TablesCard)
    except FileNotFoundError:
        raise UsageError(f"no translation tables '{name_or_path}': name such as ship, or a card (.toml)") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"not a card of translation tables: {error}", str(path)) from error
    return card, path.parent / card.files


def read_base(name_or_path: str, encoder: StaticEncoder, made: Path) -> BaseTables:
    """What is known already, to build `made` on. Raises as `base_card` and `read_joint`, and `UsageError` where it
    would be overwritten."""
    card, path = base_card(name_or_path)
    if path.resolve() == made.resolve():
        raise UsageError(f"{made} is what is to be built on: give the result another --name, or another --out")
    return BaseTables(*read_joint(path, encoder), card)


def completed(recipe: TablesRecipe, card: TablesCard, data: Path) -> TablesRecipe:
    """The recipe with the base's licence, and the sources of `data` where it names none."""
    return msgspec.structs.replace(recipe, sources=recipe.sources or own_sources(data), licence=card.licence)


def found_languages(recipe: TablesRecipe, prepared: Prepared, base: BaseTables) -> TablesRecipe:
    """The recipe with all languages of the data beside English where it names none, and its direct pairs turned as the
    base has them."""
    found = prepared.contents.languages
    if "en" not in found:
        raise BadInput("no text is in English ('en'), through which languages meet")
    languages = recipe.languages or tuple(sorted(code for code in found if code != "en"))
    turned = {"-".join(pair): "-".join(pair[::-1]) for pair in recipe.pairs() if pair[::-1] in base.joint}
    direct = tuple(turned.get(pair, pair) for pair in recipe.direct)
    return msgspec.structs.replace(recipe, languages=languages, direct=direct)


def joined(
    base: BaseTables, own: Mapping[Pair, JointCounts], sizes: Mapping[Pair, int], pruning: Pruning
) -> dict[Pair, JointCounts]:
    """The base's tables and `own`, learnt from `sizes` sentence pairs. Of a pair that both have, counts are added: the
    base's made to sum to what as many sentence pairs as it was learnt from would give."""
    tables = dict(base.joint)
    for pair, table in own.items():
        if pair in base.joint:
            known = base.joint[pair]
            learnt_from = base.card.sentence_pairs.get("-".join(pair), sizes[pair])
            worth = table.counts.sum() * learnt_from / sizes[pair] / known.counts.sum()
            tables[pair] = pruned(_added(known, worth, table), pruning)
        else:
            tables[pair] = table
    return tables


def on_top_of(base: TablesCard, card: TablesCard) -> TablesCard:
    """The card of tables built on `base`: with its name and sources, and its figures for what was not learnt anew."""
    figures = ("there", "back", "word_there", "word_back", "sentence_pairs")
    both = {name: {**getattr(base, name), **getattr(card, name)} for name in figures}
    for name in card.sentence_pairs.keys() & base.sentence_pairs.keys():
        both["sentence_pairs"][name] += base.sentence_pairs[name]
    return msgspec.structs.replace(
        card,
        base=f"{base.name} {base.fingerprint}",
        learnt=tuple(card.sentence_pairs),
        sources=(*base.sources, *card.sources),
        **both,
    )


def _added(known: JointCounts, worth: float, more: JointCounts) -> JointCounts:
    """Sums of counts, `known`'s multiplied by `worth`."""
    pairs = np.stack([np.concatenate([known.left, more.left]), np.concatenate([known.right, more.right])])
    counts = np.concatenate([known.counts * worth, more.counts])
    unique, place = np.unique(pairs, axis=1, return_inverse=True)
    sums = np.bincount(place.ravel(), weights=counts, minlength=unique.shape[1])
    return JointCounts(unique[0], unique[1], sums.astype(np.float32))
