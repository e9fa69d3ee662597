"""The small reranker: words compared with words one by one, measurements by their formulas, weights by hand."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from doubles.toy_pieces import ToyPieces
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, Query, Translations, UsageError
from xsearch.rank.rerank import RerankCandidate, RerankerCard, load_reranker
from xsearch.rank.rerank.small import FEATURES, SmallReranker, SmallSettings, final_scores, measure, small_reranker
from xsearch.rank.rerank.small.held import BLOCK, LONG, Held, block_bests, held_by, likeness, word_sums
from xsearch.rank.rerank.small.interaction import FLOOR, asked_words, meet

RNG = np.random.default_rng(5)
WORDS = {f"w{n}": [n] if n % 3 else [n, 40 + n] for n in range(40)}
ENCODER = ToyPieces(WORDS, RNG.integers(-127, 128, (80, 8)), RNG.uniform(0.005, 0.02, 80))
TEXTS = st.lists(st.lists(st.sampled_from(sorted(WORDS)), max_size=60).map(" ".join), min_size=1, max_size=5)
QUESTIONS = st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=6).map(" ".join)


def translations_of(question, seed=0):
    """Up to four translations of every piece of a question, any probabilities."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, len(ENCODER.query_pieces(question)))
    tokens = [rng.choice(80, count, replace=False) for count in counts]
    return Translations(
        np.concatenate(([0], np.cumsum(counts))),
        np.concatenate(tokens).astype(np.int32),
        rng.uniform(0.05, 1, counts.sum()).astype(np.float32),
    )


def vector(piece):
    return ENCODER.token_vectors([piece])[0].astype(np.float64)


def similarity(asked, held):
    own = sum(vector(piece) for piece in WORDS[asked])
    length = np.sqrt(sum(vector(piece) @ vector(piece) for piece in WORDS[held]))
    cosine = min(1.0, sum(own / np.linalg.norm(own) @ vector(piece) for piece in WORDS[held]) / length)
    return max(0.0, (cosine - FLOOR) / (1 - FLOOR))


def translation(question, place, held, translations):
    """t of the word at a place of a question and a word."""
    words = question.split()
    first = sum(len(WORDS[word]) for word in words[:place])
    total, said = 0.0, 0.0
    for number, piece in enumerate(WORDS[words[place]], start=first):
        entries = slice(translations.starts[number], translations.starts[number + 1])
        found = dict(zip(translations.tokens[entries].tolist(), translations.probabilities[entries], strict=True))
        total += np.linalg.norm(vector(piece))
        said += np.linalg.norm(vector(piece)) * max(found.get(other, 0.0) for other in WORDS[held])
    return said / total


@given(question=QUESTIONS, texts=TEXTS, seed=st.integers(0, 9))
def test_words_meet_as_one_by_one(question, texts, seed):
    translations = translations_of(question, seed)
    groups = ["de" if number % 2 else "fr" for number in range(len(texts))]
    held = held_by(ENCODER, texts)
    met = meet(asked_words(ENCODER, ENCODER.query_pieces(question)), held, {"de": translations}, groups)
    for text, (line, group) in enumerate(zip(texts, groups, strict=True)):
        words = line.split()
        assert held.counts[text] == -(-len(words) // BLOCK)
        for place, word in enumerate(question.split()):
            similar = [similarity(word, held) for held in words]
            translated = [translation(question, place, held, translations) * (group == "de") for held in words]
            assert met.similar[place, text] == pytest.approx(max(similar, default=0), abs=1e-5)
            assert met.translated[place, text] == pytest.approx(max(translated, default=0), abs=1e-5)
            either = np.maximum(similar, translated)
            for window in range(held.counts[text]):
                inside = either[BLOCK * window : BLOCK * (window + 2)]
                assert met.windows[place, held.first[text] + window] == pytest.approx(inside.max(), abs=1e-5)


@given(sizes=st.lists(st.integers(1, LONG + 9) | st.integers(1, 2), max_size=3 * BLOCK), seed=st.integers(0, 9))
def test_words_of_any_length_are_added_up_and_blocks_have_their_best(sizes, seed):
    rng = np.random.default_rng(seed)
    places, words = rng.integers(0, 7, sum(sizes)), np.cumsum([0, *sizes])[:-1].astype(np.int64)
    blocks = np.arange(0, len(sizes), BLOCK)
    unread = np.zeros(0, dtype=np.int64)
    held = Held(unread, unread, unread, places, unread, words, blocks, unread, unread)
    values = rng.normal(size=(7, 3)).astype(np.float32)
    sums = word_sums(held, values)
    expected = [values[places[begin : begin + size]].sum(axis=0) for begin, size in zip(words, sizes, strict=True)]
    np.testing.assert_allclose(sums, np.reshape(expected, (-1, 3)), atol=1e-5)
    bests = [sums[begin : begin + BLOCK].max(axis=0) for begin in blocks]
    np.testing.assert_array_equal(block_bests(held, sums), np.reshape(bests, (-1, 3)))


@given(texts=TEXTS, langs=st.lists(st.sampled_from(["de", "fr"]), min_size=5, max_size=5))
def test_likeness_is_the_cosine_of_sums_across_languages(texts, langs):
    groups = langs[: len(texts)]
    sums = [sum((vector(piece) for word in text.split() for piece in WORDS[word]), np.zeros(8)) for text in texts]
    units = [own / (np.linalg.norm(own) or 1) for own in sums]
    apart = np.array([[one != other for other in groups] for one in groups])
    expected = np.maximum(np.array([[one @ other for other in units] for one in units]), 0) * apart
    np.testing.assert_allclose(likeness(held_by(ENCODER, texts), groups), expected, atol=1e-5)


def measured(query, passages):
    return measure(ENCODER, query, passages).features


def candidates(texts, scores, langs=()):
    langs = langs or ["de"] * len(texts)
    return [
        RerankCandidate(n, f"d{n}", lang, None, text, score)
        for n, (text, score, lang) in enumerate(zip(texts, scores, langs, strict=True))
    ]


def test_the_measurements_are_their_formulas():
    question, texts = "w1 w2 w3", ["w1 w5 w7", "w2 w3 w1 w9", " ".join(["w8"] * 40) + " w1 w2"]
    pieces, translations = ENCODER.query_pieces(question), translations_of("w1 w2 w3", 3)
    query = Query(question, (("en", 1.0),), pieces=pieces, translations={"de": translations})
    found = measured(query, candidates(texts, [0.8, 0.5, 0.2]))
    weights = [np.linalg.norm(sum(vector(piece) for piece in WORDS[word])) for word in question.split()]
    s = [[max(similarity(word, held) for held in text.split()) for text in texts] for word in question.split()]
    t = [
        [max(translation(question, i, held, translations) for held in text.split()) for text in texts] for i in range(3)
    ]

    def mean(values, weights):
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    def rarity(met):
        return [w * log(4 / (sum(m * m for m in row) + 0.5)) for w, row in zip(weights, met, strict=True)]

    either = np.maximum(s, t)
    for n, score in enumerate([0.8, 0.5, 0.2]):
        own = [row[n] for row in s]
        expected = {
            "fused": log(score / (1 - score)),
            "similar": mean(own, weights),
            "rare": mean(own, rarity(s)),
            "translated": mean([row[n] for row in t], weights),
            "least": min(either[i, n] for i in range(3) if weights[i] >= 0.9 or max(weights) < 0.9),
        }
        for name, value in expected.items():
            assert found[n, FEATURES.index(name)] == pytest.approx(value, abs=1e-5), name
    # The third text has both words in its last windows alone, the first 32 words have none of them.
    words = texts[2].split()

    def best(word, place, stretch):
        return max(max(similarity(word, held), translation(question, place, held, translations)) for held in stretch)

    lead = [best(word, i, words[:32]) for i, word in enumerate(question.split())]
    assert found[2, FEATURES.index("lead")] == pytest.approx(mean(lead, rarity(either)), abs=1e-5)
    windows = [
        mean([best(word, i, words[begin : begin + 32]) for i, word in enumerate(question.split())], weights)
        for begin in (0, 16, 32)
    ]
    assert found[2, FEATURES.index("window")] == pytest.approx(max(windows), abs=1e-5)


def test_what_nobody_writes_like_that_goes_by_its_spelling():
    question, texts = "w1 w2 w3", ["w1 w5 w7", "w2 w3 w1 w9", "w8 w8"]
    query = Query(question, (("en", 1.0),), pieces=ENCODER.query_pieces(question))
    plain = candidates(texts, [0.8, 0.5, 0.2])
    spelled = [replace(p, scores={"names": 0.1 * n}, supports={"names": 0.6}) for n, p in enumerate(plain, start=1)]
    weights = [np.linalg.norm(sum(vector(piece) for piece in WORDS[word])) for word in question.split()]
    met = [max(similarity(word, held) for text in texts for held in text.split()) for word in question.split()]
    part = 0.6 * (1 - sum(w * m for w, m in zip(weights, met, strict=True)) / sum(weights))
    before, after = measure(ENCODER, query, plain), measure(ENCODER, query, spelled)
    np.testing.assert_allclose(after.spelled, [part * 0.1, part * 0.2, part * 0.3], atol=1e-5)
    np.testing.assert_allclose(after.features[:, 1:], (1 - part) * before.features[:, 1:], atol=1e-5)
    np.testing.assert_array_equal(after.features[:, 0], before.features[:, 0])
    assert not before.spelled.any()
    first = scored(query, spelled, fused=1.5)
    np.testing.assert_allclose(scored(query, spelled, fused=1.5, spelled=2), first + 2 * after.spelled, atol=1e-5)
    # A question of which the encoder knows no word has its spelling alone.
    nothing = measure(ENCODER, Query("", (("en", 1.0),)), spelled)
    np.testing.assert_allclose(nothing.spelled, [0.06, 0.12, 0.18], atol=1e-6)


def settings_of(agreement=0.0, spelled=0.0, **weights):
    return SmallSettings("toy", agreement, spelled=spelled, **{name: weights.get(name, 0.0) for name in FEATURES})


def scored(query, passages, **weights):
    settings = settings_of(**weights)
    return final_scores(measure(ENCODER, query, passages), settings.weights, settings.agreement, settings.spelled)


def reranker(**weights):
    return SmallReranker(RerankerCard("small", "reranker-small"), ENCODER, settings_of(**weights))


def test_scores_are_the_weighted_sum():
    query, passages = Query("w1 w2", (("en", 1.0),)), candidates(["w1", "w2 w1", ""], [0.9, 0.8, 0.7])
    found = measured(query, passages)
    expected = 2 * found[:, FEATURES.index("similar")] - 0.5 * found[:, FEATURES.index("fused")]
    np.testing.assert_allclose(scored(query, passages, similar=2, fused=-0.5), expected, rtol=1e-6)
    [once] = reranker(similar=2, fused=-0.5).improve(query, passages)
    np.testing.assert_array_equal(once, reranker(similar=2, fused=-0.5).score(query, passages))


def test_scores_are_shown_between_0_and_1_as_fused_ones_are():
    query, passages = Query("w1 w2", (("en", 1.0),)), candidates(["w1", "w2 w1", ""], [0.9, 0.8, 0.7])
    np.testing.assert_allclose(reranker(fused=3).score(query, passages), [0.9, 0.8, 0.7], rtol=1e-5)
    raw, shown = scored(query, passages, fused=3, similar=2), reranker(fused=3, similar=2).score(query, passages)
    np.testing.assert_allclose(3 * np.log(shown / (1 - shown)), raw, rtol=1e-4)
    unfused = reranker(similar=2).score(query, passages)
    np.testing.assert_allclose(np.log(unfused / (1 - unfused)), scored(query, passages, similar=2), atol=1e-4)


def test_passages_of_other_languages_vouch_for_what_is_like_them():
    texts, langs = ["w1 w2 w2", "w1 w2 w4", "w1 w2", "w9"], ["de", "fr", "de", "sr-Latn"]
    query, passages = Query("w1", ()), candidates(texts, [0.9, 0.5, 0.4, 0.3], langs)
    vectors = [sum(vector(piece) for word in text.split() for piece in WORDS[word]) for text in texts]
    first = scored(query, passages, fused=1.5).astype(np.float64)
    likely = np.exp(first) / np.exp(first).sum()
    for n in range(4):
        expected = first[n]
        for m in range(4):
            if langs[n] != langs[m]:
                cosine = vectors[n] @ vectors[m] / np.linalg.norm(vectors[n]) / np.linalg.norm(vectors[m])
                expected += 3 * likely[m] * max(0.0, cosine)
        assert scored(query, passages, agreement=3, fused=1.5)[n] == pytest.approx(expected, abs=1e-4)
    # Two scripts of a language are one: neither vouches for the other.
    two = candidates(texts[:2], [0.9, 0.5], ["sr", "sr-Latn"])
    np.testing.assert_array_equal(scored(query, two, agreement=3, fused=1), scored(query, two, fused=1))


@pytest.mark.parametrize("scores", [[0.9, 0.2], [1.7, -0.3], [1.0, 0.0]])
def test_without_a_known_word_the_fused_order_stays(scores):
    passages = candidates(["w1 w2", "w3"], scores)
    found = measured(Query("", ()), passages)
    assert np.isfinite(found).all()
    assert not found[:, 1:].any()
    assert found[0, 0] > found[1, 0]
    assert len(measured(Query("w1", ()), [])) == 0


def test_empty_passages_have_nothing_of_any_word():
    found = measured(Query("w1", ()), candidates(["", ""], [0.5, 0.4]))
    assert np.isfinite(found).all()
    assert not found[:, 1:].any()


def test_the_title_is_read_before_the_text():
    [plain, titled] = candidates(["w5 w7", "w7"], [0.5, 0.5])
    titled = RerankCandidate(1, "d1", "de", "w5", "w7", 0.5)
    found = measured(Query("w5", ()), [plain, titled])
    np.testing.assert_array_equal(found[0], found[1])


def test_translations_of_another_vocabulary_are_not_read():
    own, other = ENCODER.query_pieces("w1 w2"), ENCODER.query_pieces("w2 w1")
    translations = {"de": translations_of("w1 w2", 3)}
    passages, column = candidates([" ".join(WORDS)], [0.5]), FEATURES.index("translated")
    assert measured(Query("w1 w2", (), pieces=own, translations=translations), passages)[0, column] > 0
    assert measured(Query("w1 w2", (), pieces=other, translations=translations), passages)[0, column] == 0


def test_a_card_must_weigh_every_measurement_and_no_other(tmp_path):
    rows = "".join(f"{name} = 1.0\n" for name in FEATURES)
    head = 'name = "own"\nkind = "reranker-small"\n[settings]\nencoder = "xsearch-static-v2"\nagreement = 1.0\n'
    (tmp_path / "own.toml").write_text(head + rows)
    assert load_reranker(tmp_path / "own.toml").card.name == "own"
    for wrong in (rows.replace("lead", "leed"), rows.partition("\n")[2], rows.replace("1.0", '"much"')):
        (tmp_path / "own.toml").write_text(head + wrong)
        with pytest.raises(BadInput, match="settings"):
            load_reranker(tmp_path / "own.toml")


def test_an_encoder_without_pieces_is_refused(monkeypatch):
    monkeypatch.setattr("xsearch.rank.rerank.small.model.load_encoder", lambda name: object())
    settings = {"encoder": "a-neural-one", "agreement": 1.0} | dict.fromkeys(FEATURES, 1.0)
    with pytest.raises(UsageError, match="no pieces"):
        small_reranker(RerankerCard("own", "reranker-small", settings=settings), None, None)
