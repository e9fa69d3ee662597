"""Postings of random pieces, and what they must score by hand."""

from __future__ import annotations

import numpy as np

from xsearch.core import Bags, PassageBatch
from xsearch.retrieve.impact import ImpactWriter
from xsearch.retrieve.postings import map_postings, serialised
from xsearch.retrieve.scorers import BM25Scorer, Dot, Groups, HMMScorer
from xsearch.storage import DiskFiles

VOCABULARY = 60
LANGS = ("de", "en", "fa")


def piece_batch(numbers, langs, bags) -> PassageBatch:
    starts = np.concatenate(([0], np.cumsum([len(bag) for bag in bags]))).astype(np.int64)
    tokens = np.array([token for bag in bags for token in bag], dtype=np.int32)
    return PassageBatch(
        np.asarray(numbers, dtype=np.int64), langs, [""] * len(bags), [""] * len(bags), None, Bags(tokens, starts)
    )


def random_bags(rng, count, longest=30):
    return [
        np.minimum(rng.zipf(1.4, rng.integers(0, longest)), VOCABULARY - 1).astype(np.int32).tolist()
        for _ in range(count)
    ]


def random_groups(rng, count=6, most=5):
    sizes = rng.integers(0, most + 1, count)
    terms = [np.sort(rng.choice(VOCABULARY + 5, size, replace=False)) for size in sizes]
    return Groups(
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        np.concatenate(terms).astype(np.int64),
        rng.uniform(0.05, 1.0, sizes.sum()),
    )


def matrix(bags) -> np.ndarray:
    """How often each term stands in each passage, (passages, vocabulary)."""
    counts = np.zeros((len(bags), VOCABULARY + 5))
    for row, bag in enumerate(bags):
        np.add.at(counts[row], bag, 1)
    return counts


def coefficients(groups) -> np.ndarray:
    """The groups as a matrix, (groups, vocabulary)."""
    dense = np.zeros((len(groups), VOCABULARY + 5))
    for group in range(len(groups)):
        own = slice(groups.starts[group], groups.starts[group + 1])
        dense[group, groups.terms[own]] = groups.coefficients[own]
    return dense


def scorers(rng, count):
    weights = rng.uniform(0, 2, count)
    weights[rng.random(count) < 0.2] = 0.0
    return [
        (Dot(weights), lambda x, n: weights * x),
        (
            BM25Scorer(weights, 14.0, k1=0.9, b=0.4),
            lambda x, n: weights * x * 1.9 / (x + 0.9 * (0.6 + 0.4 * n[:, None] / 14.0)),
        ),
        (
            HMMScorer(weights, np.full(count, 0.01), alpha=0.3),
            lambda x, n: weights * np.log((0.7 * x / np.maximum(n[:, None], 1) + 0.003) / 0.003),
        ),
    ]


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or {}
    for batch in batches:
        writer = ImpactWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def random_index(rng, folder, passages=300, commits=5, files=None, bags=None):
    bags = random_bags(rng, passages) if bags is None else bags
    passages = len(bags)
    langs = rng.choice(LANGS, passages).tolist()
    batches = [
        piece_batch(part, [langs[n] for n in part], [bags[n] for n in part])
        for part in np.array_split(np.arange(passages), commits)
    ]
    return bags, np.array(langs), build(folder, batches, files=files)


def stored(postings, path):
    """The same from a file."""
    path.write_bytes(b"".join(serialised(postings)))
    return map_postings(path, int(postings.numbers[0]), len(postings.numbers))


def by_hand(numbers, scores, depth):
    """The best `depth` of those above 0, by score as it is returned, then by number."""
    scores = scores.astype(np.float32)
    order = sorted(np.flatnonzero(scores > 0).tolist(), key=lambda i: (-scores[i], numbers[i]))[:depth]
    return [int(numbers[i]) for i in order], [float(scores[i]) for i in order]


def flat(bags):
    return np.array([t for bag in bags for t in bag], dtype=np.int64), np.array([len(bag) for bag in bags])
