"""What training draws from: parallel rows, sections, and pairs of query and passage (`xsearch.train.neural.reading`).

Every batch mixes languages: training with one language a batch teaches to tell languages apart (Yang et al. 2024,
"Distillation for multilingual information retrieval").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.core.wording import counted
from xsearch.train.neural.batches import Parallel, Plain, Ranked, Side
from xsearch.train.neural.pairs import Item, Pair
from xsearch.train.rows import Texts


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of texts in several languages, to be drawn from. langs: codes by number. weights: float64 (rows,), 0 for
    rows that are never drawn. chances: float64 (languages,), of a text of a row."""

    texts: Texts
    langs: list[str]
    weights: NDArray[np.float64]
    chances: NDArray[np.float64]

    def languages_of(self, row: int) -> dict[int, list[int]]:
        """Texts of a row by language number."""
        found: dict[int, list[int]] = {}
        for place in range(self.texts.starts[row], self.texts.starts[row + 1]):
            found.setdefault(self.texts.langs[place], []).append(place)
        return found

    def draw(self, size: int, rng: np.random.Generator) -> list[int]:
        """`size` rows, with repetition."""
        sums = self._sums
        rows: list[int] = np.searchsorted(sums[:-1], rng.random(size) * sums[-1], side="right").tolist()
        return rows

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return np.cumsum(self.weights)

    def pick(self, row: int, count: int, rng: np.random.Generator, first: int = -1) -> list[Item]:
        """(text, language) of a row in `count` languages, or in all it has if those are fewer; language number `first`
        before the others where the row has it."""
        places = self.languages_of(row)
        numbers = list(places)
        keys = rng.random(len(numbers)) ** (1 / self.chances[numbers])
        order = sorted(range(len(numbers)), key=lambda n: (numbers[n] != first, -keys[n]))[:count]
        chosen = [places[numbers[n]] for n in order]
        return [
            (self.texts.texts[place], self.langs[self.texts.langs[place]])
            for place in (options[int(rng.integers(len(options)))] for options in chosen)
        ]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Everything that can be drawn. rows: parallel texts. titles, bodies: of the same sections, row by row. held: rows
    of each table, and pairs, that are kept from training to measure with. files: read, in order. excluded: texts left
    out because evaluation has them."""

    rows: Table
    titles: Table
    bodies: Table
    pairs: list[Pair]
    pair_weights: NDArray[np.float64]
    held_rows: list[int]
    held_sections: list[int]
    held_pairs: list[int]
    files: list[str]
    excluded: int

    @property
    def languages(self) -> list[str]:
        """Codes of all languages, ascending."""
        used = {self.rows.langs[lang] for table in (self.rows, self.titles, self.bodies) for lang in table.texts.langs}
        return sorted(used | {lang for pair in self.pairs for lang in (pair.query_lang, pair.positive_lang)} - {""})

    def described(self) -> str:
        """What there is, in words; and what is missing."""
        sizes = {"row": len(self.rows.texts), "section": len(self.titles.texts), "pair": len(self.pairs)}
        said = ", ".join(counted(size, name) for name, size in sizes.items() if size)
        said += f" in {len(self.languages)} languages" if len(self.languages) > 1 else ""
        if self.excluded:
            said += f"; {counted(self.excluded, 'text')} of evaluation collections left out"
        if len(self.languages) == 1:
            said += f"; all are in '{self.languages[0]}': nothing here teaches to search across languages"
        return said

    def texts(self, size: int, rng: np.random.Generator, langs: tuple[str, ...] = ()) -> Plain:
        """Texts of rows, sections and passages, by how many there are; in `langs`, or in any languages."""
        found: list[Item] = []
        for _ in range(100):
            drawn = [item for item in self._texts(size, rng) if not langs or item[1] in langs]
            found += drawn
            if len(found) >= size:
                return Plain(side(found[:size]))
        raise BadInput(f"hardly any text is in {', '.join(langs)}: name other languages")

    def _texts(self, size: int, rng: np.random.Generator) -> list[Item]:
        tables = [table for table in (self.rows, self.bodies) if table.weights.any()]
        usable = np.flatnonzero(self.pair_weights)
        counts = [*(np.count_nonzero(table.weights) for table in tables), *([len(usable)] if len(usable) else [])]
        shares = np.array(counts, dtype=np.float64)
        which = rng.choice(len(shares), size, p=shares / shares.sum()).tolist()
        places = [tables[t].draw(1, rng)[0] if t < len(tables) else int(rng.choice(usable)) for t in which]
        return [
            tables[t].pick(place, 1, rng)[0]
            if t < len(tables)
            else (self.pairs[place].positive, self.pairs[place].positive_lang)
            for t, place in zip(which, places, strict=True)
        ]

    def parallel(
        self, size: int, count: int, rng: np.random.Generator, pivot: str = "", bodies: bool = False
    ) -> Parallel:
        """Rows in `count` languages each, of parallel texts or of sections' bodies; those with fewer languages are not
        drawn. pivot: a language that comes first in every row that has it."""
        table = self.bodies if bodies else self.rows
        first = table.langs.index(pivot) if pivot in table.langs else -1
        chosen: list[tuple[int, list[Item]]] = []
        for _ in range(100):
            for row in table.draw(size, rng) if table.weights.any() else []:
                texts = table.pick(row, count, rng, first)
                if len(texts) == count:
                    chosen.append((row, texts))
            if len(chosen) >= size:
                chosen = chosen[:size]
                columns = tuple(side([texts[k] for _, texts in chosen]) for k in range(count))
                return Parallel(columns, tuple(row for row, _ in chosen))
        what = "sections" if bodies else "rows"
        raise BadInput(f"hardly any {what} in {count} languages: this objective needs more parallel text, or fewer")

    def ranked(self, size: int, negatives: int, rng: np.random.Generator, scored: bool = False) -> Ranked:
        """Queries with passages: pairs, and titles of sections with their bodies in another language.

        scored: only pairs that a teacher scored with at least `negatives` negatives.
        """
        usable = self.pair_weights
        if scored:
            usable = usable * [p.scored and len(p.negatives) >= negatives for p in self.pairs]
        total = np.array([usable.sum(), 0.0 if scored else self.titles.weights.sum()])
        if not total.sum():
            needed = (
                f"pairs with a teacher's scores of {negatives} negatives (a stage's `mining` makes them)"
                if scored
                else "pairs or sections"
            )
            raise BadInput(f"the data hold no {needed}")
        sums = np.cumsum(usable)
        queries, positives, groups = [], [], []
        extra: list[list[Item]] = []
        scores: list[tuple[float, ...]] = []
        for which in rng.choice(2, size, p=total / total.sum()).tolist():
            if which:
                row = self.titles.draw(1, rng)[0]
                title, body = self.section(row, rng)
                queries.append(title)
                positives.append(body)
                groups.append(row)
                extra.append([])
                continue
            number = int(np.searchsorted(sums[:-1], rng.random() * sums[-1], side="right"))
            pair = self.pairs[number]
            queries.append((pair.query, pair.query_lang))
            positives.append((pair.positive, pair.positive_lang))
            groups.append(-2 - number)
            kept = rng.permutation(len(pair.negatives))[:negatives].tolist()
            langs = pair.negative_langs or (pair.positive_lang,) * len(pair.negatives)
            extra.append([(pair.negatives[n], langs[n]) for n in kept])
            if scored:
                scores.append((pair.scores[0], *(pair.scores[1 + n] for n in kept)))
        flat = [text for texts in extra for text in texts]
        starts = np.cumsum([size, *map(len, extra)]).tolist()
        candidates = [(n, *range(starts[n], starts[n + 1])) for n in range(size)] if scored else []
        owners = (*groups, *[-1] * len(flat))
        return Ranked(side(queries), side(positives + flat), tuple(groups), owners, tuple(candidates), tuple(scores))

    def questions(self, most: int, rng: np.random.Generator) -> list[tuple[Item, Item, int]]:
        """At most `most` different queries that may be trained on: (query, passage, number of its group)."""
        found: list[tuple[Item, Item, int]] = []
        sections = rng.permutation(np.flatnonzero(self.titles.weights)).tolist()
        found += [(*self.section(row, rng), row) for row in sections[:most]]
        for number in rng.permutation(np.flatnonzero(self.pair_weights)).tolist()[: most - len(found)]:
            pair = self.pairs[number]
            found.append(((pair.query, pair.query_lang), (pair.positive, pair.positive_lang), -2 - number))
        return found

    def mined(self, pairs: list[Pair]) -> Corpus:
        """The corpus with `pairs` in the place of those it had, and of its sections as queries and passages."""
        titles = replace(self.titles, weights=np.zeros_like(self.titles.weights))
        return replace(self, pairs=pairs, pair_weights=np.ones(len(pairs)), held_pairs=[], titles=titles)

    def section(self, row: int, rng: np.random.Generator) -> tuple[Item, Item]:
        """A section's title and its body, in two languages where it has two."""
        title = self.titles.pick(row, 1, rng)[0]
        bodies = self.bodies.pick(row, 2, rng)
        return title, next((body for body in bodies if body[1] != title[1]), bodies[0])


def side(texts: list[Item]) -> Side:
    """(text, language) as columns."""
    return Side(tuple(text for text, _ in texts), tuple(lang for _, lang in texts))
