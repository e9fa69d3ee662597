"""Drawing training pairs: two texts that mean the same, a title and its section, a sentence and its context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.train.bags import Bags, Ints, concatenate, from_spans
from xsearch.train.recipe import Sampling, Source
from xsearch.train.tokenrows import TokenRows

CONTEXT_ROWS = 3
REDRAWS = 4
DRAWS = 4
"""Rows drawn for each one wanted that has to hold a certain language: three in four do not."""
Draw = tuple[Bags, Bags, Ints]


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs (left[i], right[i]), no bag empty. `groups` int64 (n,): pairs of one row share a number, and are no
    negatives of each other."""

    left: Bags
    right: Bags
    groups: Ints

    def __len__(self) -> int:
        return len(self.groups)


class RowDrawer:
    """Draws rows of one table by source and size, and texts of a row by language."""

    def __init__(
        self,
        table: TokenRows,
        source_weights: NDArray[np.float64],
        language_weights: NDArray[np.float64],
        settings: Sampling,
        held: NDArray[np.bool_] | None = None,
    ) -> None:
        self.table = table
        size = np.minimum(np.diff(table.starts), settings.row_cap).astype(np.float64)
        weight = size**settings.row_exponent * source_weights[table.sources]
        if held is not None:
            weight[held] = 0
        self._rows = np.cumsum(weight)
        # Several texts of one language in a row (synonyms) share that language's weight.
        language_of = table.row_of * len(language_weights) + table.langs
        _, inverse, copies = np.unique(language_of, return_inverse=True, return_counts=True)
        self._texts = np.concatenate([[0.0], np.cumsum(language_weights[table.langs] / copies[inverse])])

    def rows(self, size: int, rng: np.random.Generator) -> Ints:
        """`size` rows, with repetition."""
        drawn = np.searchsorted(self._rows, rng.random(size) * self._rows[-1], side="right")
        inside: Ints = np.minimum(drawn, len(self._rows) - 1)
        return inside

    def texts(self, rows: Ints, rng: np.random.Generator) -> Ints:
        """A text of every row."""
        first, last = self.table.starts[rows], self.table.starts[rows + 1]
        mark = self._texts[first] + rng.random(len(rows)) * (self._texts[last] - self._texts[first])
        text: Ints = np.clip(np.searchsorted(self._texts, mark, side="right") - 1, first, last - 1)
        return text


class PairSampler:
    """Draws batches of pairs; `Sampling` describes the distributions.

    language_counts: int64 (languages,), texts of each. held: bool (rows,), rows never drawn (as another's context they
    may still appear, which shows them next to no translation of theirs). Deterministic given the generator's state.
    """

    def __init__(
        self,
        rows: TokenRows,
        titles: TokenRows,
        bodies: TokenRows,
        sources: tuple[Source, ...],
        settings: Sampling,
        language_counts: Ints,
        held: NDArray[np.bool_] | None = None,
    ) -> None:
        weights = np.array([source.weight for source in sources])
        by_language = np.maximum(language_counts, 1) ** settings.language_exponent
        self._settings = settings
        self._rows = RowDrawer(rows, weights, by_language, settings, held)
        self._titles, self._bodies = (RowDrawer(table, weights, by_language, settings) for table in (titles, bodies))
        self._languages = len(language_counts)
        self._row_and_language = rows.row_of * self._languages + rows.langs
        self._in_document = np.array([source.documents for source in sources])[rows.sources]

    @property
    def dropout(self) -> float:
        """The share of tokens that training leaves out."""
        return self._settings.dropout

    def sentences(self, size: int, lang: int, least: int, rng: np.random.Generator) -> tuple[Ints, Bags]:
        """At most `size` texts in the language numbered `lang`, of `least` tokens or more, and their rows."""
        table = self._rows.table
        rows = self._rows.rows(size * DRAWS, rng)
        texts = np.searchsorted(self._row_and_language, rows * self._languages + lang)
        texts = np.minimum(texts, len(self._row_and_language) - 1)
        there = self._row_and_language[texts] == rows * self._languages + lang
        there &= table.offsets[texts + 1] - table.offsets[texts] >= least
        rows, texts = rows[there][:size], texts[there][:size]
        return rows, self._head(table, texts)

    def draw(self, size: int, rng: np.random.Generator) -> PairBatch:
        """A batch of at most `size` pairs: fewer where a row had no second text or a neighbour is missing."""
        titles = round(size * self._settings.section_share) if len(self._titles.table) else 0
        context = round(size * self._settings.context_share) if self._in_document.any() else 0
        draws = [self._translations(size - titles - context, rng)]
        if context:
            draws.append(self._contexts(context, rng))
        if titles:
            draws.append(self._sections(titles, rng))
        left = concatenate([draw[0] for draw in draws])
        right = concatenate([draw[1] for draw in draws])
        groups = np.concatenate([draw[2] for draw in draws])
        keep = np.flatnonzero((left.sizes > 0) & (right.sizes > 0))
        rate = self._settings.dropout
        return PairBatch(left.select(keep).drop(rate, rng), right.select(keep).drop(rate, rng), groups[keep])

    def _two_texts(self, rows: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Two texts of every row, of different languages where a few draws find such."""
        langs = self._rows.table.langs
        left, right = self._rows.texts(rows, rng), self._rows.texts(rows, rng)
        for _ in range(REDRAWS):
            again = np.flatnonzero(langs[left] == langs[right])
            right[again] = self._rows.texts(rows[again], rng)
        return left, right

    def _translations(self, size: int, rng: np.random.Generator) -> Draw:
        rows = self._rows.rows(size, rng)
        left, right = self._two_texts(rows, rng)
        differ = left != right
        rows, left, right = rows[differ], left[differ], right[differ]
        return self._head(self._rows.table, left), self._head(self._rows.table, right), rows

    def _contexts(self, size: int, rng: np.random.Generator) -> Draw:
        """A sentence and three successive rows in another language that hold it, or that begin just after it."""
        rows = self._rows.rows(size * 3, rng)
        rows = rows[self._in_document[rows]][:size]
        left, right = self._two_texts(rows, rng)
        table = self._rows.table
        shift = rng.integers(-2, 2, len(rows))
        near = rows[:, None] + shift[:, None] + np.arange(CONTEXT_ROWS)
        inside = (near >= 0) & (near < len(table))
        near = np.where(inside, near, rows[:, None])
        inside &= table.sources[near] == table.sources[rows][:, None]
        key = near * self._languages + table.langs[right][:, None]
        text = np.minimum(np.searchsorted(self._row_and_language, key), len(self._row_and_language) - 1)
        inside &= self._row_and_language[text] == key
        begins = table.offsets[text]
        ends = np.minimum(table.offsets[text + 1], begins + self._settings.max_tokens)
        window = from_spans(table.tokens, begins.ravel(), np.where(inside, ends, begins).ravel(), CONTEXT_ROWS)
        return self._head(table, left), window, rows

    def _sections(self, size: int, rng: np.random.Generator) -> Draw:
        """A section's title and a stretch of its text: half of them its beginning, half any."""
        rows = self._titles.rows(size, rng)
        title, body = self._titles.texts(rows, rng), self._bodies.texts(rows, rng)
        table, window = self._bodies.table, self._settings.window
        begins, ends = table.offsets[body], table.offsets[body + 1]
        slack = np.maximum(ends - begins - window, 0)
        begins = begins + (rng.random(len(rows)) * 2 - 1).clip(0) * slack
        begins = begins.astype(np.int64)
        stretch = from_spans(table.tokens, begins, np.minimum(begins + window, ends))
        # Sections are numbered after the rows, so that no section shares a group with a row.
        return self._head(self._titles.table, title), stretch, rows + len(self._rows.table)

    def _head(self, table: TokenRows, texts: Ints) -> Bags:
        begins = table.offsets[texts]
        ends = np.minimum(table.offsets[texts + 1], begins + self._settings.max_tokens)
        return from_spans(table.tokens, begins, ends)
