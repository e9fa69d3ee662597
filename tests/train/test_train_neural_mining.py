"""Hard negatives by the engine, and what is done to texts before they are trained on. Needs no torch."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput
from xsearch.train.neural.batches import Parallel, Ranked, Side
from xsearch.train.neural.mining import mine
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import Mining, Transforms
from xsearch.train.neural.transforms import read_lexicon, switched, transformed
from xsearch.train.recipe import Source
from xsearch.train.romanised import romanised

WORDS = "bread flour oven yeast train ticket platform station river bridge flood boat".split()  # noqa: SIM905


def section(words, **other):
    text = " ".join(f"{word} {word}" for word in words)
    return {"title": {"en": " ".join(words)}, "text": {"en": f"{text} here", **other}}


def corpus_of(folder, sections):
    (folder / "s.jsonl").write_text("".join(json.dumps(record) + "\n" for record in sections))
    return read_corpus(folder, (Source("*.jsonl"),), (), 1)


def test_mined_negatives_are_near_and_no_answers(tmp_path):
    """Sections on three neighbouring words each: neighbours share one or two words with the question. One stands twice
    under other titles, and one says the same in two languages."""
    sections = [section([WORDS[n], WORDS[(n + 1) % 12], WORDS[(n + 2) % 12]]) for n in range(12)]
    sections[4]["text"]["de"] = f"{sections[4]['text']['en']} hier"
    sections.append({"title": {"en": "copied"}, "text": {"en": sections[2]["text"]["en"] + " again"}})
    corpus = corpus_of(tmp_path, sections)
    said = []
    settings = Mining(recipe="bm25", negatives=2, depth=20, margin=0.05, queries=50, passages=50)
    pairs = mine(corpus, settings, 1, tmp_path / "work", said.append)
    assert len(pairs) >= 10
    for pair in pairs:
        assert len(pair.negatives) == len(pair.negative_langs) == 2
        assert pair.scores[0] * 0.95 >= pair.scores[1] >= pair.scores[2]
        asked = set(pair.query.split())
        assert all(asked & set(text.split()) for text in pair.negatives)
        assert not any(asked <= set(text.split()) for text in pair.negatives)
    assert {step.stage for step in said} == {"mine"}
    assert not (tmp_path / "work" / "mining-index").exists()
    again = mine(corpus, settings, 1, tmp_path / "work", lambda _: pytest.fail("was mined again"))
    assert again == pairs
    drawn = corpus.mined(pairs).ranked(8, 2, np.random.default_rng(0), scored=True)
    assert len(drawn.passages) == 24
    with pytest.raises(BadInput, match="has 30 negatives: ask for fewer"):
        mine(corpus, Mining(recipe="bm25", negatives=30), 1, tmp_path / "more", lambda _: None)


LEXICON = {("en", "river"): ["fleuve", "Fluss"], ("fr", "fleuve"): ["river"]}


def test_lexicons_are_read_by_single_words(tmp_path):
    rows = [{"en": ["river", "big river"], "fr": "fleuve"}, {"en": "town", "no": ["by"], "_id": "3"}]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_lexicon(tmp_path, ["l*.jsonl"])
    assert found == {("en", "river"): ["fleuve"], ("fr", "fleuve"): ["river"], ("en", "town"): ["by"],
                     ("nb", "by"): ["town"]}  # fmt: skip
    with pytest.raises(BadInput, match="no file matches 'm"):
        read_lexicon(tmp_path, ["m*.jsonl"])


def test_words_are_switched_at_their_share():
    rng = np.random.default_rng(2)
    assert switched("The River, in flood", "en", LEXICON, 0.0, rng) == "The River, in flood"
    all_of_them = [switched("The River, in flood", "en", LEXICON, 1.0, rng) for _ in range(40)]
    assert set(all_of_them) == {"The fleuve, in flood", "The Fluss, in flood"}
    assert switched("fleuve River", "fr", LEXICON, 1.0, rng) == "river River"
    half = switched("river " * 2000, "en", LEXICON, 0.5, rng).split()
    assert 900 < half.count("river") < 1100


def test_texts_in_latin_letters():
    assert romanised("Москва, река 12") == "moskva, reka 12"
    assert romanised("Αθήνα is Athens").split()[1:] == ["is", "athens"]


@given(st.text(max_size=60), st.integers(0, 5))
def test_transforms_keep_what_is_between_words(text, seed):
    rng = np.random.default_rng(seed)
    assert switched(text, "en", {}, 1.0, rng) == text
    assert switched(text, "en", LEXICON, 1.0, rng).count(" ") == text.count(" ")
    assert isinstance(romanised(text), str)


def test_only_the_asking_side_is_changed():
    side, other = Side(("river",), ("en",)), Side(("river bank",), ("en",))
    settings, rng = Transforms(switch=1.0), np.random.default_rng(0)
    ranked = transformed(Ranked(side, other, (1,), (1,)), settings, LEXICON, rng)
    assert ranked.queries.texts[0] in ("fleuve", "Fluss")
    assert ranked.passages == other
    parallel = transformed(Parallel((side, other), (1,)), Transforms(romanise=1.0), LEXICON, rng)
    assert parallel.columns == (side, other)
    assert transformed(parallel, Transforms(), LEXICON, rng) is parallel
