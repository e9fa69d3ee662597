"""Two changes to how translation tables are learnt, by nDCG@10 of psq: stems for pieces, and grow-diag-final.

    python eval/bench/alignments.py --data ../shared/data [--languages de fi] [--cells 2000000]

From sentence pairs of four sources, the shortest as for the tables that ship, the same model learns

    pieces            both directions' posteriors joined by their geometric mean, as shipped
    grow-diag-final   each direction's likeliest links joined as Koehn, Och and Marcu 2003 do (section 4.5): the
                      intersection, grown along neighbours in the union (a round at once), then links of words without
    stems             pieces that are whole words count as one where the analyzer of their language makes one term of
                      them: in learning, in documents, and in questions

and English questions are asked of the documents of each language of three collections, by psq alone, each language in
its own pool; a collection without documents in it is left out. Rows go to `eval/results/alignments.jsonl`. Nothing here
changes the tables that ship.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Bags, IntArray, PassageBatch, Query, QueryPieces, Topic
from xsearch.corpora.collections import collection
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.encode.unigram import START
from xsearch.lang import analyzer
from xsearch.lang.translation import TranslationTables
from xsearch.lang.translation_file import write_tables
from xsearch.retrieve import PSQ, ImpactWriter
from xsearch.storage import DiskFiles
from xsearch.train import bags as training
from xsearch.train.align import symmetrise
from xsearch.train.align.expectation import expected_counts
from xsearch.train.align.pairs import SentencePairs, build_corpus
from xsearch.train.align.pruning import JointCounts, pair_table, pruned
from xsearch.train.align.recipe import Alignment, load_tables_recipe
from xsearch.train.rows import excluded_files, normalised, read_excluded, read_records

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("parallel/tatoeba_manythings", "parallel/ud_pud", "parallel/gnome-help", "lexicons/wikdict_senses")
COLLECTIONS = ("ntrex-doc", "tldr", "iot-lessons")
CELLS = 2_000_000
"""Pairs of places learnt from: a fifth of what the shipped tables have."""
DEPTH = 10

Joined = NDArray[np.float32]


def grow_diag_final(right: Joined, left: Joined) -> Joined:
    """1 for each link, of posteriors (J, n, I) as `symmetrise` takes them. A word is linked to its likeliest partner
    where that is likelier than none."""
    one, other = _likeliest(right, 2), _likeliest(left, 0)
    union, links = one | other, one & other
    while True:
        near = np.zeros_like(links)
        for down, across in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]:
            near |= _moved(links, down, across)
        lonely = ~links.any(axis=2, keepdims=True) | ~links.any(axis=0, keepdims=True)
        grown = union & near & lonely & ~links
        if not grown.any():
            break
        links = links | grown
    for direction in (one, other):
        links = links | (direction & (~links.any(axis=2, keepdims=True) | ~links.any(axis=0, keepdims=True)))
    return links.astype(np.float32)


def _likeliest(posteriors: Joined, axis: int) -> NDArray[np.bool_]:
    best = posteriors.max(axis=axis, keepdims=True)
    none = 1.0 - posteriors.sum(axis=axis, keepdims=True)
    found: NDArray[np.bool_] = (posteriors == best) & (best > none) & (best > 0)
    return found


def _moved(links: NDArray[np.bool_], down: int, across: int) -> NDArray[np.bool_]:
    moved = np.zeros_like(links)
    rows, columns = links.shape[0], links.shape[2]
    moved[max(0, down) : rows + min(0, down), :, max(0, across) : columns + min(0, across)] = links[
        max(0, -down) : rows + min(0, -down), :, max(0, -across) : columns + min(0, -across)
    ]
    return moved


def stem_classes(encoder: StaticEncoder, lang: str, used: IntArray) -> IntArray:
    """For every piece the least piece that it counts as, int64 (vocabulary,): of whole words with one term alike."""
    classes = np.arange(encoder.card.vocabulary, dtype=np.int64)
    terms = analyzer(lang)
    first: dict[str, int] = {}
    for number, spelling in zip(used.tolist(), encoder.spellings(used.tolist()), strict=True):
        word = spelling.removeprefix(START)
        if spelling.startswith(START) and word.isalpha() and len(found := terms.terms(word)) == 1:
            classes[number] = first.setdefault(found[0], number)
    return classes


def sentence_pairs(
    data: Path, lang: str, encoder: StaticEncoder, excluded: frozenset[int], cells: int
) -> SentencePairs:
    """English and `lang`, shortest first, up to so many pairs of places."""
    lefts, rights = [], []
    for source in SOURCES:
        for _, record in read_records(data / f"{source}.jsonl.xz"):
            texts = [record.get(code) for code in ("en", lang)]
            one, two = (text[0] if isinstance(text, list) and text else text for text in texts)
            if not (isinstance(one, str) and isinstance(two, str) and len(one) < 300):
                continue
            if not {hash(normalised(one)), hash(normalised(two))} & excluded:
                lefts.append(one)
                rights.append(two)
    sides = [encoder.pieces(texts) for texts in (lefts, rights)]
    one, two = (training.Bags(side.tokens.astype(np.int64), side.starts) for side in sides)
    usable = np.flatnonzero((one.sizes > 0) & (two.sizes > 0) & (np.maximum(one.sizes, two.sizes) <= 40))
    order = usable[np.argsort(np.maximum(one.sizes, two.sizes)[usable], kind="stable")]
    order = np.sort(order[np.cumsum(one.sizes[order] * two.sizes[order]) <= cells])
    return SentencePairs(one.select(order), two.select(order), np.ones(len(order), np.float32), order)


def learn(pairs: SentencePairs, alignment: Alignment, lang: str, encoder: StaticEncoder, path: Path) -> None:
    """Write the tables of English and `lang`, pruned as the shipped ones are."""
    corpus = build_corpus(pairs)
    counts = expected_counts(corpus, alignment)
    met = np.flatnonzero(counts > 0)
    joint = JointCounts(
        corpus.left_pieces[corpus.pair_left[met]],
        corpus.right_pieces[corpus.pair_right[met]],
        counts[met].astype(np.float32),
    )
    joint = pruned(joint, load_tables_recipe(ROOT / "encoders" / "recipes" / "tables-v1.toml").pruning)
    languages = {"en": np.unique(joint.left), lang: np.unique(joint.right)}
    table = pair_table(joint, "en", lang, *languages.values())
    write_tables(path, encoder.card.vocabulary, encoder.vocabulary, languages, [table])


class Pool:
    """The documents of a language of a collection in pieces, and the English questions with what answers them."""

    def __init__(self, name: str, root: Path, lang: str, encoder: StaticEncoder) -> None:
        found = collection(name, root)
        judged = found.qrels().topics()
        documents = [document for document in found.documents() if document.lang == lang]
        self.ids = [document.id for document in documents]
        self.pieces = encoder.pieces([f"{d.title or ''}\n{d.text}" for d in documents])
        asked: list[Topic] = [topic for topic in found.topics() if topic.lang == "en"]
        inside = set(self.ids)
        self.queries: list[tuple[QueryPieces, set[str]]] = []
        for topic in asked:
            right = {doc for doc, grade in judged.get(topic.id.split("@")[0], {}).items() if grade > 0} & inside
            if right:
                self.queries.append((encoder.query_pieces(topic.text), right))

    def ndcg(self, tables: TranslationTables, lang: str, classes: tuple[IntArray, IntArray] | None) -> float:
        """Mean nDCG@10 of psq alone."""
        tokens = self.pieces.tokens.astype(np.int64)
        held = Bags((classes[1][tokens] if classes else tokens).astype(np.int32), self.pieces.starts)
        values = []
        with tempfile.TemporaryDirectory() as folder:
            writer = ImpactWriter(Path(folder), {}, high_water=0, files=DiskFiles())
            writer.add(PassageBatch(np.arange(len(self.ids)), [lang] * len(self.ids), (), (), None, held))
            psq = PSQ(Path(folder), writer.flush())
            for pieces, right in self.queries:
                own = pieces.tokens.astype(np.int64)
                own = classes[0][own] if classes else own
                made = tables.translate(own, "en", [lang])
                stemmed = QueryPieces(own.astype(np.int32), pieces.weights, pieces.starts, pieces.ends)
                query = Query("", (("en", 1.0),), pieces=stemmed, translations=made)
                ranking = psq.search(query, DEPTH).passages.tolist()
                gains = [float(self.ids[number] in right) for number in ranking]
                ideal = sum(1 / np.log2(rank + 2) for rank in range(min(DEPTH, len(right))))
                values.append(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains)) / ideal)
        return float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--languages", nargs="+", default=["de", "fi"])
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "alignments.jsonl")
    given = parser.parse_args()
    encoder = load_encoder()
    if not isinstance(encoder, StaticEncoder):
        sys.exit("the shipped encoder has no pieces")
    symmetrise.SYMMETRISED["grow-diag-final"] = grow_diag_final
    recipe = load_tables_recipe(ROOT / "encoders" / "recipes" / "tables-v1.toml")
    excluded = read_excluded(excluded_files(recipe.exclude, given.data))
    shipped = recipe.alignment
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    for lang in given.languages:
        pairs = sentence_pairs(given.data, lang, encoder, excluded, given.cells)
        every = {name: Pool(name, given.data / "eval", lang, encoder) for name in COLLECTIONS}
        pools = {name: pool for name, pool in every.items() if pool.queries}
        own = [pairs.left.tokens, *(pieces.tokens for pool in pools.values() for pieces, _ in pool.queries)]
        foreign = [pairs.right.tokens, *(pool.pieces.tokens for pool in pools.values())]
        stems = (
            stem_classes(encoder, "en", np.unique(np.concatenate(own))),
            stem_classes(encoder, lang, np.unique(np.concatenate(foreign))),
        )
        stemmed = SentencePairs(
            training.Bags(stems[0][pairs.left.tokens], pairs.left.starts),
            training.Bags(stems[1][pairs.right.tokens], pairs.right.starts),
            pairs.weights,
            pairs.rows,
        )
        grown = Alignment(**{**_settings(shipped), "symmetrisation": "grow-diag-final"})
        for name, learnt_from, alignment, classes in (
            ("pieces", pairs, shipped, None),
            ("grow-diag-final", pairs, grown, None),
            ("stems", stemmed, shipped, stems),
        ):
            began = time.process_time()
            found: dict[str, float] = defaultdict(float)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "own.tables"
                learn(learnt_from, alignment, lang, encoder, path)
                learning = time.process_time() - began
                tables = TranslationTables.open(path)
                for pool, asked in pools.items():
                    found[pool] = round(asked.ndcg(tables, lang, classes), 4)
                size = path.stat().st_size
            row = {
                "bench": "alignments",
                "tables": name,
                "pair": f"en-{lang}",
                "sentence_pairs": len(pairs),
                "bytes": size,
                "ndcg@10": dict(found),
                "mean": round(float(np.mean(list(found.values()))), 4),
                "cpu_seconds": round(learning, 1),
                "commit": commit.stdout.strip(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "load": round(os.getloadavg()[0], 1),
                "date": time.strftime("%Y-%m-%d"),
                "command": f"python eval/bench/alignments.py --languages {lang} --cells {given.cells}",
            }
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            print(json.dumps(row))


def _settings(alignment: Alignment) -> dict[str, object]:
    return {name: getattr(alignment, name) for name in alignment.__struct_fields__}


if __name__ == "__main__":
    main()
