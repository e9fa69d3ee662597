"""Passages by their questions: BM25 over the questions of a language, whatever the passages are in."""

import numpy as np
import pytest
from retrieve_oracles import LanguageOracle, words, zipf_texts

from xsearch.core import PassageBatch, Query, QuestionTerms
from xsearch.retrieve import Generated, GeneratedWriter
from xsearch.storage import DiskFiles


def batch(numbers, langs, rows):
    """rows: (passage, language, terms) of questions."""
    owners, spoken, terms = zip(*rows, strict=True) if rows else ((), (), ())
    empty = [""] * len(numbers)
    questions = QuestionTerms(np.array(owners, dtype=np.int64), list(spoken), [" ".join(t) for t in terms])
    return PassageBatch(np.array(numbers, dtype=np.int64), langs, empty, empty, questions=questions)


def test_scores_are_bm25_over_the_questions_of_a_language(tmp_path):
    rng = np.random.default_rng(7)
    texts = zipf_texts(rng, 60, 40, 20)
    rows = [(number, "en" if number % 3 else "fa", text) for number, text in enumerate(texts)]
    langs = ["de" if number % 2 else "zh" for number in range(60)]
    writer = GeneratedWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    for start in (0, 30):
        chosen = [row for row in rows if start <= row[0] < start + 30]
        writer.add(batch(range(start, start + 30), langs[start : start + 30], chosen))
    state = writer.flush()
    writer.close()
    oracle = LanguageOracle({number: (text, []) for number, lang, text in rows if lang == "en"})
    asked = (words("w2", "w5", "w9"),)
    reader = Generated(tmp_path, state)
    found = reader.search(Query("", (("en", 1.0),), analyzed={"en": asked, "fa": asked}), 100)
    expected = oracle.scores(asked)
    assert dict(zip(found.passages.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(expected, rel=1e-5)
    # What the query's terms are worth, on the same scale for passages of both languages.
    worth = sum(oracle.idf("body", term) for term in ("w2", "w5", "w9"))
    assert found.background == {"de": (0.0, pytest.approx(worth)), "zh": (0.0, pytest.approx(worth))}
    allowed = np.zeros(60, dtype=np.bool_)
    allowed[found.passages[3:5]] = True
    limited = reader.search(Query("", (("en", 1.0),), analyzed={"en": asked}), 100, allowed)
    assert limited.passages.tolist() == found.passages[3:5].tolist()
    reader.close()


def test_a_query_of_two_languages_adds_up_both_by_their_weights(tmp_path):
    writer = GeneratedWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    rows = [(0, "de", ["rat"]), (0, "en", ["rat"]), (1, "en", ["rat", "mouse"]), (2, "de", ["haus"])]
    writer.add(batch([0, 1, 2], ["fa", "fa", "fa"], rows))
    state = writer.flush()
    writer.close()
    reader = Generated(tmp_path, state)
    asked = {lang: (words("rat"),) for lang in ("en", "de")}

    def scores(*langs):
        found = reader.search(Query("", langs, analyzed=asked), 10)
        return dict(zip(found.passages.tolist(), found.scores.tolist(), strict=True))

    english, german = scores(("en", 1.0)), scores(("de", 1.0))
    assert (english.keys(), german.keys()) == ({0, 1}, {0})
    both = scores(("en", 0.75), ("de", 0.25))
    assert both == pytest.approx({0: 0.75 * english[0] + 0.25 * german[0], 1: 0.75 * english[1]})
    assert scores(("zh", 1.0)) == {}
    reader.close()


def test_support_is_the_share_of_passages_that_have_questions(tmp_path):
    writer = GeneratedWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    writer.add(batch([0, 1, 2], ["fa", "fa", "de"], [(1, "en", ["a"]), (2, "en", ["b"])]))
    state = writer.flush()
    writer.close()
    # A writer goes on from the state; documents that came later have no questions yet.
    writer = GeneratedWriter(tmp_path, state, high_water=3, files=DiskFiles())
    writer.add(batch([3, 4], ["fa", "fa"], []))
    state = writer.flush()
    writer.close()
    reader = Generated(tmp_path, state)
    assert (reader.support("en", "fa"), reader.support("en", "de"), reader.support("fr", "fa")) == (0.25, 1.0, 0.0)
    assert reader.languages() == ["en"]
    reader.close()


def test_an_index_without_questions_finds_nothing(tmp_path):
    writer = GeneratedWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    writer.add(batch([0], ["fa"], []))
    state = writer.flush()
    writer.close()
    reader = Generated(tmp_path, state)
    assert len(reader.search(Query("", (("en", 1.0),), analyzed={"en": (words("a"),)}), 10)) == 0
    assert reader.support("en", "fa") == 0.0
    reader.close()
