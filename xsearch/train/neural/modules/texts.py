"""A language's text for predicting masked words: files → batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch import lang as languages
from xsearch.core import BadInput, IntArray
from xsearch.core.wording import counted
from xsearch.train.neural.pairs import shipped_evaluation
from xsearch.train.rows import is_excluded, normalised, read_excluded, read_lines, read_records

HELD_SHARE, HELD_MOST = 0.02, 200
MASKED, TO_MASK, TO_OTHER = 0.15, 0.8, 0.1
"""Of the tokens; of these, shares that become the mask and some other token; the rest stay (Devlin et al. 2019)."""
LOOKED_AT, SURE = 200, 0.9
"""Texts whose language is told before they are learnt from; confidence from which on it is believed."""
JSON = (".jsonl", ".json", ".ndjson")


class Words(msgspec.Struct, frozen=True):
    """Texts of a step; the number seeds which of their tokens are masked."""

    texts: tuple[str, ...]
    number: int

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class LanguageText:
    """Texts to train on, texts kept to measure with, and how many were left out because evaluation has them."""

    train: list[str]
    held: list[str]
    left_out: int

    def batch(self, number: int, size: int, seed: int) -> Words:
        """The batch of a number, always the same for it."""
        rng = np.random.default_rng([seed, number])
        return Words(tuple(self.train[n] for n in rng.integers(len(self.train), size=size)), number)


def read_language(files: Sequence[Path], lang: str, seed: int, exclude: Sequence[Path] = ()) -> LanguageText:
    """The texts of a language.

    files: a text a line; or JSON lines of ``{"text": …, "lang"?: …}`` or of ``{"xx": …}`` by language, of which the
    language's are read. Compressed files too. exclude: files of evaluation, besides those that ship. Raises `BadInput`
    for files without a text in the language.
    """
    excluded = read_excluded([*exclude, *shipped_evaluation()])
    found = dict.fromkeys(text for path in files for text in _texts(path, lang) if normalised(text))
    kept = [text for text in found if not is_excluded(text, excluded)]
    if len(kept) < 2:
        names = ", ".join(str(path) for path in files)
        lost = counted(len(found) - len(kept), "text")
        left = f" ({lost} left out: evaluation has them)" if len(kept) < len(found) else ""
        raise BadInput(
            f"{counted(len(kept), 'text')} in '{lang}'{left}: one to learn from and one to measure with are needed",
            names,
        )
    order = np.random.default_rng([seed, 3]).permutation(len(kept)).tolist()
    held = max(1, min(HELD_MOST, int(len(kept) * HELD_SHARE)))
    return LanguageText([kept[n] for n in order[held:]], [kept[n] for n in order[:held]], len(found) - len(kept))


def in_another(texts: Sequence[str], lang: str) -> str | None:
    """The language that most of the first `LOOKED_AT` texts are surely in, where it is another than `lang`."""
    head = texts[:LOOKED_AT]
    sure = Counter(found.lang for found in languages.identify(head) if found.confidence >= SURE)
    ((other, count),) = sure.most_common(1) or [(lang, 0)]
    return other if 2 * count > len(head) and not languages.same_language(other, lang) else None


def _texts(path: Path, lang: str) -> list[str]:
    if not any(suffix in JSON for suffix in path.suffixes):
        return [line.strip() for line in read_lines(path) if line.strip()]
    found = []
    for where, record in read_records(path):
        own = record.get("text", "") if record.get("lang", lang) == lang and "text" in record else record.get(lang, "")
        if isinstance(own, dict):
            own = own.get(lang, "")
        for text in own if isinstance(own, list) else [own]:
            if not isinstance(text, str):
                raise BadInput(f"'{lang}' must be a text or a list of texts, not {type(text).__name__}", where)
            if text.strip():
                found.append(text.strip())
    return found


def masked(
    ids: IntArray, special: IntArray, mask: int, vocabulary: int, seed: Sequence[int]
) -> tuple[IntArray, IntArray]:
    """(ids with some tokens replaced, what stood there, -100 elsewhere), both int64 like `ids`.

    ids: (texts, tokens). special: 1 for tokens that are never masked, padding among them. mask: the mask's number.
    Of every text with a token at least one is masked.
    """
    rng = np.random.default_rng(list(seed))
    chances = np.where(special == 1, 2.0, rng.random(ids.shape))
    chosen = (chances < MASKED) | (chances == np.minimum(chances.min(axis=1, keepdims=True), 1.0))
    fate = rng.random(ids.shape)
    other = rng.integers(vocabulary, size=ids.shape)
    replaced = np.where(fate < TO_MASK, mask, np.where(fate < TO_MASK + TO_OTHER, other, ids))
    return np.where(chosen, replaced, ids), np.where(chosen, ids, -100)


def tokens(tokenizer: Any, texts: Sequence[str], length: int) -> tuple[IntArray, IntArray]:
    """(ids, special), both int64 (texts, tokens), cut after `length` tokens and padded; padding counts as special."""
    encoded = tokenizer(
        list(texts),
        truncation=True,
        max_length=length,
        padding=True,
        return_special_tokens_mask=True,
        return_tensors="np",
    )
    special = encoded["special_tokens_mask"] | (1 - encoded["attention_mask"])
    return encoded["input_ids"].astype(np.int64), special.astype(np.int64)
