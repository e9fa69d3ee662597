"""Token vectors for tests, MaxSim written out, and the files of an index read byte by byte."""

from __future__ import annotations

import numpy as np
from retrieve_oracles import unit

from xsearch.core import PassageBatch, Query, TokenVectors
from xsearch.retrieve import ColbertWriter
from xsearch.storage import DiskFiles

LANGS = ("de", "en", "fa")
DIM = 24


def topics(rng, count=40, dim=DIM):
    return rng.standard_normal((count, dim))


def batches_of(rng, passages, commits, themes, langs=LANGS, most=9):
    """Passages of 1 to `most` tokens that lie around themes, which passages of all languages share."""
    counts = rng.integers(1, most + 1, passages)
    starts = np.concatenate(([0], np.cumsum(counts)))
    vectors = unit(themes[rng.integers(0, len(themes), starts[-1])] + 0.4 * rng.standard_normal((starts[-1], DIM)))
    spoken = rng.choice(langs, passages).tolist()
    return [
        token_batch(part, [spoken[n] for n in part], [vectors[starts[n] : starts[n + 1]] for n in part])
        for part in np.array_split(np.arange(passages), commits)
    ]


def token_batch(numbers, langs, vectors):
    starts = np.concatenate(([0], np.cumsum([len(part) for part in vectors])))
    held = TokenVectors(np.concatenate([np.empty((0, vectors[0].shape[1])), *vectors]).astype(np.float32), starts)
    return PassageBatch(np.asarray(numbers, dtype=np.int64), langs, (), (), token_vectors=held)


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    state = state or {}
    for batch in batches:
        made = ColbertWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        made.add(batch)
        state = made.flush()
        made.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def question(vectors):
    return Query("", (), vectors={"colbert": np.asarray(vectors, dtype=np.float32)})


def maxsim(batches, asked):
    """(scores, languages) of all passages by the definition, in float64."""
    scores, langs = [], []
    for batch in batches:
        for i, lang in enumerate(batch.langs):
            scores.append((asked.astype(np.float64) @ batch.token_vectors[i].T.astype(np.float64)).max(axis=1).sum())
            langs.append(lang)
    return np.array(scores), np.array(langs)


def read_tokens(folder, state):
    """Number → vectors of its tokens, float64, read from the files byte by byte as FORMAT.md has them."""
    found = {}
    if state["trained"]:
        content = (folder / f"{state['trained']}.codebook").read_bytes()
        k, dim, buckets = np.frombuffer(content[8:32], "<i8").tolist()
        weights = np.frombuffer(content[32 : 32 + 2 * buckets], "<i2")
        middles = 16.0 * np.frombuffer(content[32 + 2 * buckets :], "i1").reshape(k, dim)
    for lang, entries in state["languages"].items():
        for entry in entries:
            ending = "whole" if entry["bits"] == 8 else "tokens"
            content = (folder / lang / f"{entry['first']}-{entry['last']}.{ending}").read_bytes()
            n, t, w, _, _, c, _ = np.frombuffer(content[8:64], "<i8").tolist()
            at = 64
            numbers = np.frombuffer(content, "<i8", n, at)
            starts = np.frombuffer(content, "<i8", n + 1, at + 8 * n)
            at += 8 * (2 * n + 1)
            codes = np.frombuffer(content, "u1", t * w, at).reshape(t, w)
            at += -(-t * w // 8) * 8
            cells = np.frombuffer(content, f"<u{c}", t, at) if c else None
            for row, number in enumerate(numbers.tolist()):
                vectors = []
                for token in range(starts[row], starts[row + 1]):
                    if cells is None:
                        vector = codes[token].astype(float) - 128
                    else:
                        bits = "".join(f"{byte:08b}" for byte in codes[token])
                        each = entry["bits"]
                        chosen = [int(bits[d * each : (d + 1) * each], 2) for d in range(state["dim"])]
                        vector = middles[cells[token]] + weights[chosen]
                    vectors.append(vector / np.linalg.norm(vector))
                found[number] = np.array(vectors)
    return found
