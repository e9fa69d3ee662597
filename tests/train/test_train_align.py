"""Word alignment against enumeration of all alignments; pruning, symmetrising; a whole training by the command."""

import itertools
import json
import sys
import tomllib

import numpy as np
import pytest

from xsearch.cli.app import main
from xsearch.core import BadInput
from xsearch.encode import load_encoder
from xsearch.lang.translation import TranslationTables
from xsearch.lang.translation_file import PairTable, write_tables
from xsearch.train.align import pair as one_pair
from xsearch.train.align.expectation import expected_counts
from xsearch.train.align.hmm import REACH, Jumps, hmm_posteriors
from xsearch.train.align.model1 import model1_posteriors
from xsearch.train.align.pairs import SentencePairs, build_corpus
from xsearch.train.align.pruning import JointCounts, pruned
from xsearch.train.align.recipe import Alignment, Pruning, load_tables_recipe
from xsearch.train.align.scoring import match_scores
from xsearch.train.align.symmetrise import SYMMETRISED
from xsearch.train.align.tables import Direction, Model, digamma
from xsearch.train.bags import Bags

NULL = 0.2


def bags(sentences):
    return Bags(np.concatenate(sentences).astype(np.int64), np.cumsum([0, *map(len, sentences)]))


def toy(weights=(1.0, 1.0, 2.0, 0.5)):
    """Four sentence pairs of different lengths, so that several are padded into one block."""
    left = [[10, 11, 12, 10, 13, 11, 10, 12, 12], [10, 11], [13, 12, 11, 10, 10, 11, 12, 13, 11, 10], [12]]
    right = [[5, 6, 7, 5], [6, 5], [7, 7, 6], [7, 8]]
    return SentencePairs(bags(left), bags(right), np.array(weights, dtype=np.float32), np.arange(4)), left, right


def random_model(corpus, seed=0):
    rng = np.random.default_rng(seed)
    model = Model.uniform(corpus)
    for direction in (model.right, model.left):
        direction.probabilities = rng.random(len(corpus)).astype(np.float32)
        direction.probabilities[0] = 0
        direction.null = rng.random(len(direction.null)).astype(np.float32)
        direction.null[0] = 0
    return model


def translation(corpus, direction):
    """(left piece, right piece) → probability."""
    lefts, rights = corpus.left_pieces[corpus.pair_left], corpus.right_pieces[corpus.pair_right]
    return {(int(a), int(b)): float(p) for a, b, p in zip(lefts, rights, direction.probabilities, strict=True)}


def enumerate_alignments(emissions, null_emissions, jump):
    """Posteriors (J, I), those of the empty word (J,), and expected jumps, by summing over every alignment. jump None:
    every place is equally likely (model 1)."""
    steps, states = emissions.shape
    posteriors, empty, jumps, total = np.zeros((steps, states)), np.zeros(steps), {}, 0.0
    for first in range(states):
        # A state is (place, whether it is the empty word there); the empty word before any word stands at `first`.
        for path in itertools.product(range(states), (False, True), repeat=steps):
            places, nulls = path[::2], path[1::2]
            probability, place, moved = 1.0 / states, first, []
            for j, (at, null) in enumerate(zip(places, nulls, strict=True)):
                if null:
                    probability *= (at == place) * NULL * null_emissions[j]
                elif j == 0:
                    probability *= (at == place) * (1 - NULL) * emissions[0, at]
                elif jump is None:
                    probability *= (1 - NULL) / states * emissions[j, at]
                else:
                    probability *= (1 - NULL) * jump(at - place) / sum(jump(k - place) for k in range(states))
                    probability *= emissions[j, at]
                if j and not null:
                    moved.append(at - place)
                place = at
            if probability == 0:
                continue
            total += probability
            for j, (at, null) in enumerate(zip(places, nulls, strict=True)):
                if null:
                    empty[j] += probability
                else:
                    posteriors[j, at] += probability
            for d in moved:
                jumps[d] = jumps.get(d, 0) + probability
    return posteriors / total, empty / total, {d: value / total for d, value in jumps.items()}


def test_corpus_numbers_every_pair_of_pieces():
    pairs, left, right = toy()
    corpus = build_corpus(pairs)
    met = {(a, b) for lefts, rights in zip(left, right, strict=True) for a in lefts for b in rights}
    named = list(zip(corpus.left_pieces[corpus.pair_left], corpus.right_pieces[corpus.pair_right], strict=True))
    assert {tuple(map(int, pair)) for pair in named[1:]} == met
    assert len(named) == len(met) + 1
    seen = []
    for block in corpus.blocks:
        for n in range(len(block.weights)):
            cells = block.cells[: block.right_sizes[n], n, : block.left_sizes[n]]
            seen.append([[tuple(map(int, named[cell])) for cell in row] for row in cells])
            assert (block.cells[block.right_sizes[n] :, n] == 0).all()
            assert (block.cells[:, n, block.left_sizes[n] :] == 0).all()
    assert sorted(seen) == sorted([[[(a, b) for a in ls] for b in rs] for ls, rs in zip(left, right, strict=True)])


def test_model1_posteriors_are_those_of_all_alignments():
    left, right = [[1, 2, 3], [1, 3, 2]], [[7, 8, 7], [9, 7]]
    corpus = build_corpus(SentencePairs(bags(left), bags(right), np.ones(2, dtype=np.float32), np.arange(2)))
    model = random_model(corpus)
    table, back = translation(corpus, model.right), translation(corpus, model.left)
    nulls = dict(zip(corpus.right_pieces.tolist(), model.right.null.tolist(), strict=True))
    for block in corpus.blocks:
        got = model1_posteriors(block, model, NULL)
        for n in range(len(block.weights)):
            ls = corpus.left_pieces[block.lefts[n, : block.left_sizes[n]]].tolist()
            rs = corpus.right_pieces[block.rights[n, : block.right_sizes[n]]].tolist()
            emissions = np.array([[table[a, b] for a in ls] for b in rs])
            posteriors, empty, _ = enumerate_alignments(emissions, [nulls[b] for b in rs], None)
            assert got[0][: len(rs), n, : len(ls)] == pytest.approx(posteriors, rel=1e-4)
            assert got[1][: len(rs), n] == pytest.approx(empty, rel=1e-4)
            emissions = np.array([[back[a, b] for b in rs] for a in ls])
            share = (1 - NULL) / len(rs) * emissions
            null = NULL * model.left.null[block.lefts[n, : len(ls)]]
            by_hand = share / (share.sum(axis=1) + null)[:, None]
            assert got[2][: len(rs), n, : len(ls)] == pytest.approx(by_hand.T, rel=1e-4)
            assert got[3][n, : len(ls)] == pytest.approx(null / (share.sum(axis=1) + null), rel=1e-4)


def test_hmm_posteriors_and_jumps_are_those_of_all_alignments():
    rng = np.random.default_rng(2)
    states, steps = np.array([3, 2, 1]), np.array([2, 3, 3])
    emissions = rng.random((4, 3, 5)).astype(np.float32)  # padded by one step and two states
    null_emissions = rng.random((4, 3)).astype(np.float32)
    jumps = Jumps(rng.random(2 * REACH + 1).astype(np.float32))
    weights = np.array([1.0, 2.0, 0.5], dtype=np.float32)
    got = hmm_posteriors(emissions, null_emissions, states, steps, weights, jumps, NULL)
    moved = np.zeros(2 * REACH + 1)
    for n, (size, length) in enumerate(zip(states, steps, strict=True)):
        posteriors, empty, found = enumerate_alignments(
            emissions[:length, n, :size].astype(float), null_emissions[:length, n], lambda d: jumps.weights[d + REACH]
        )
        assert got.posteriors[:length, n, :size] == pytest.approx(posteriors, rel=1e-3, abs=1e-6)
        assert got.null[:length, n] == pytest.approx(empty, rel=1e-3, abs=1e-6)
        assert (got.posteriors[length:, n] == 0).all()
        assert (got.posteriors[:, n, size:] == 0).all()
        for d, value in found.items():
            moved[d + REACH] += weights[n] * value
    assert got.jumps == pytest.approx(moved, rel=1e-3, abs=1e-6)


def test_long_chains_keep_their_precision():
    emissions = np.full((120, 1, 100), 1e-6, dtype=np.float32)
    emissions[np.arange(100), 0, np.arange(100)] = 1e-3
    nulls = np.full((120, 1), 1e-9, dtype=np.float32)
    size = np.array([100]), np.array([120])
    got = hmm_posteriors(emissions, nulls, *size, np.ones(1, dtype=np.float32), Jumps.initial(), 0.1)
    assert got.posteriors.sum(axis=2) + got.null == pytest.approx(np.ones((120, 1)), rel=1e-3)
    assert (got.posteriors[:100, 0].argmax(axis=1) == np.arange(100)).all()


def test_one_round_of_model1_by_hand():
    # (a b | x y) and (a | x): after the first E-step with uniform t, no null to speak of, weights 1.
    pairs = SentencePairs(bags([[1, 2], [1]]), bags([[8, 9], [8]]), np.ones(2, dtype=np.float32), np.arange(2))
    settings = Alignment(model1=1, hmm=0, null=1e-9, agreement=False, symmetrisation="mean")
    corpus = build_corpus(pairs)
    counts = expected_counts(corpus, settings)
    found = {
        (int(corpus.left_pieces[a]), int(corpus.right_pieces[b])): c
        for a, b, c in zip(corpus.pair_left[1:], corpus.pair_right[1:], counts[1:], strict=True)
    }
    # M-step: c(a,x) = 1/2 + 1, c(a,y) = c(b,x) = c(b,y) = 1/2: t(x|a) = 3/4, t(y|a) = 1/4, t(x|b) = t(y|b) = 1/2.
    # Posteriors then: x from a 3/5 in the first, 1 in the second; y from a 1/3. The other direction is the mirror.
    assert found[1, 8] == pytest.approx(1 + 3 / 5, rel=1e-4)
    assert found[1, 9] == pytest.approx((1 / 3 + 2 / 5) / 2, rel=1e-4)
    assert found[2, 8] == pytest.approx((2 / 5 + 1 / 3) / 2, rel=1e-4)
    assert found[2, 9] == pytest.approx(2 / 3, rel=1e-4)


def test_symmetrised_by_hand():
    right, left = np.array([[[0.9, 0.0]]], dtype=np.float32), np.array([[[0.4, 0.5]]], dtype=np.float32)
    assert SYMMETRISED["product"](right, left).ravel() == pytest.approx([0.36, 0])
    assert SYMMETRISED["geometric_mean"](right, left).ravel() == pytest.approx([0.6, 0])
    assert SYMMETRISED["minimum"](right, left).ravel() == pytest.approx([0.4, 0])
    assert SYMMETRISED["mean"](right, left).ravel() == pytest.approx([0.65, 0.25])


def test_digamma_and_the_prior_that_shrinks_rare_counts():
    # ψ(1) = −γ, ψ(1/2) = −γ − 2 ln 2, ψ(n + 1) = ψ(n) + 1/n (Abramowitz and Stegun 6.3.2, 6.3.3, 6.3.5)
    euler = 0.5772156649
    known = np.array([-euler, -euler - 2 * np.log(2), 1 - euler, 1.5 - euler])
    assert digamma(np.array([1.0, 0.5, 2.0, 3.0])) == pytest.approx(known, abs=1e-5)
    direction = Direction.uniform(np.array([0, 1, 1, 1], dtype=np.int32), 4)
    counts, nulls = np.array([0, 10.0, 1.0, 0.1]), np.array([0, 1.0, 2.0, 1.0])
    direction.maximise(counts, nulls, 0.0)
    assert direction.probabilities.tolist() == pytest.approx([0, 10 / 11.1, 1 / 11.1, 0.1 / 11.1])
    assert direction.null.tolist() == pytest.approx([0, 0.25, 0.5, 0.25])
    direction.maximise(counts, nulls, 0.01)
    assert direction.probabilities[3] < 0.001 / 11.1
    assert direction.probabilities[1] == pytest.approx(10 / 11.1, rel=0.1)


def test_alignment_finds_the_words_of_an_invented_language():
    rng = np.random.default_rng(4)
    left = [rng.choice(40, rng.integers(2, 9), replace=False) for _ in range(400)]
    # The right side is shifted, so that neighbours stay near, and ends with a word that stands for nothing.
    right = [np.concatenate([np.roll(sentence, 1) + 100, [999]]) for sentence in left]
    pairs = SentencePairs(bags(left), bags(right), np.ones(400, dtype=np.float32), np.arange(400))
    corpus = build_corpus(pairs)
    for settings in (Alignment(model1=5, hmm=0), Alignment(model1=3, hmm=3), Alignment(agreement=False, prior=0.01)):
        counts = expected_counts(corpus, settings)
        lefts, rights = corpus.left_pieces[corpus.pair_left], corpus.right_pieces[corpus.pair_right]
        best = {a: max((c, b) for a2, b, c in zip(lefts, rights, counts, strict=True) if a2 == a)[1] for a in range(40)}
        assert best == {a: a + 100 for a in range(40)}, settings
        assert counts[(rights == lefts + 100)].sum() > 0.9 * counts.sum()


def test_pruning_keeps_what_is_likely_either_way():
    table = JointCounts(
        np.array([1, 1, 1, 2, 3]),
        np.array([7, 8, 9, 7, 7]),
        np.array([90.0, 9.0, 1.0, 0.5, 0.01], dtype=np.float32),
    )
    kept = pruned(table, Pruning(min_probability=0.05, cumulative=1.0, alternatives=12, least_count=0.05))
    # 1-9 is unlikely from 1 but all that 9 has; 2-7 all that 2 has; 3-7 is counted too seldom.
    assert list(zip(kept.left.tolist(), kept.right.tolist(), strict=True)) == [(1, 7), (1, 8), (1, 9), (2, 7)]
    many = JointCounts(np.zeros(400, dtype=np.int64), np.arange(400), np.linspace(1, 2, 400, dtype=np.float32))
    assert len(pruned(many, Pruning(0.0, 1.0, 255, 0.0))) == 255


def test_match_scores_by_hand(tmp_path):
    # 0 → 5 (.75), 6 (.25); 1 → 7. Texts: {5, 6}, {7}, {5}.
    languages = {"en": np.array([0, 1]), "de": np.array([5, 6, 7])}
    weights = np.array([1.0, 1 / 3, 1.0], dtype=np.float32)
    table = PairTable("en", "de", np.array([2, 1]), np.array([0, 1, 2]), weights)
    write_tables(tmp_path / "t", 10, "", languages, [table])
    tables = TranslationTables.open(tmp_path / "t")
    scores = match_scores(tables, bags([[0], [1, 1], [0, 1], [9]]), bags([[5, 6, 5], [7], [5]]), "en", "de")
    held = np.array([[1.0, 0, 0.75], [0, 1, 0]])
    idf = np.log1p(3 / held.sum(axis=1))
    expected = np.array([held[0] * idf[0], held[1] * idf[1], held[0] * idf[0] + held[1] * idf[1], [0, 0, 0]])
    assert scores == pytest.approx(expected, rel=0.02)


RECIPE = """
name = "toy-tables"
languages = ["de", "el", "ff", "wo"]
direct = ["de-el"]
exclude = ["eval/*.jsonl"]
variants = { "el-Latn" = "el" }
least_pairs = 50

[[sources]]
files = "parallel/*.jsonl"
licence = "CC0-1.0"
"""


FEW = 100


def sentences(count, rng):
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    lexicon = {lang: ["".join(rng.choice(syllables, 3)) for _ in range(50)] for lang in ("en", "de", "el", "wo")}
    lexicon["el"] = ["".join(chr(ord("α") + (ord(c) - ord("a")) % 17) for c in word) for word in lexicon["el"]]
    concepts = [rng.choice(50, 6, replace=False) for _ in range(count)]
    rows = [{lang: " ".join(words[c] for c in row) for lang, words in lexicon.items()} for row in concepts]
    for row in rows[FEW:]:
        del row["wo"]
    return rows, lexicon


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows, lexicon = sentences(2600, np.random.default_rng(1))
    for name, part in (("parallel/rows.jsonl", rows), ("eval/rows.jsonl", rows[:20])):
        path = folder / name
        path.parent.mkdir()
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in part))
    (folder / "recipe.toml").write_text(RECIPE)
    return folder, lexicon


def likeliest_word(tables, lexicon, encoder, concept):
    """The Greek word whose pieces are on average the likeliest translations of an English one."""
    found = tables.translate(encoder.token_bags([lexicon["en"][concept]]).tokens, "en", ["el"])["el"]
    likely = {}
    for token, probability in zip(found.tokens.tolist(), found.probabilities.tolist(), strict=True):
        likely[token] = max(likely.get(token, 0), probability)
    words = [encoder.token_bags([word]).tokens.tolist() for word in lexicon["el"]]
    return int(np.argmax([np.mean([likely.get(token, 0) for token in word]) for word in words]))


def test_train_align_from_the_command_line(data, tmp_path, monkeypatch, capsys):
    folder, lexicon = data
    arguments = ["train", "align", "--recipe", str(folder / "recipe.toml"), "--data", str(folder)]

    def run(out):
        monkeypatch.setattr(sys, "argv", ["xsearch", *arguments, "--out", str(out)])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code

    assert run(tmp_path / "a") == 0
    told = capsys.readouterr().err
    assert "toy-tables.toml: 4 tables" in told
    assert "en-wo: – there, – back" in told
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["toy-tables.tables", "toy-tables.toml"]
    card = (tmp_path / "a/toy-tables.toml").read_text()
    assert 'licence = "CC0-1.0"' in card
    assert "en-ff" not in card

    tables = TranslationTables.open(tmp_path / "a/toy-tables.tables")
    encoder = load_encoder()
    assert tables.vocabulary == encoder.vocabulary
    assert set(tables.pairs()) == {("en", "de"), ("en", "el"), ("en", "wo"), ("de", "el")}
    assert tables.supports("en", "el") > 0.9
    assert tables.supports("en", "ff") == 0
    # Of so few rows too few were kept from training: it counts as the lower quartile of those that were measured.
    assert "en-wo" not in tomllib.loads(card)["there"]
    measured = [score for key in ("there", "back") for score in tomllib.loads(card)[key].values()]
    assert len(measured) == 6
    assert (
        tables.supports("en", "wo")
        == tables.supports("wo", "en")
        == pytest.approx(np.quantile(measured, 0.25), abs=2e-3)
    )
    assert np.mean([likeliest_word(tables, lexicon, encoder, concept) == concept for concept in range(50)]) >= 0.9

    # Cut short in the middle, the same command goes on: what is done is not done again, and the file is the same.
    aligned = []

    def dies(pairs, recipe):
        if len(aligned) == 2:
            raise KeyboardInterrupt
        aligned.append(1)
        return original(pairs, recipe)

    original = one_pair._aligned
    monkeypatch.setattr(one_pair, "_aligned", dies)
    assert run(tmp_path / "b") == 130
    assert (tmp_path / "b/toy-tables.work").is_dir()
    aligned.clear()
    monkeypatch.setattr("xsearch.train.align.prepared.read_parallel", None)
    assert run(tmp_path / "b") == 0
    assert len(aligned) == 2
    assert (tmp_path / "b/toy-tables.tables").read_bytes() == (tmp_path / "a/toy-tables.tables").read_bytes()


def test_recipes_are_checked(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(RECIPE.replace("least_pairs", "least_pears"))
    with pytest.raises(BadInput, match="least_pears"):
        load_tables_recipe(path)
    for wrong, message in (
        ('direct = ["de-fr"]', "direct"),
        ("[alignment]\nnull = 1.0", "null"),
        ('[alignment]\nsymmetrisation = "union"', "symmetrisation"),
        ("[pruning]\nalternatives = 0", "alternatives"),
    ):
        text = RECIPE.replace('direct = ["de-el"]', "") if wrong.startswith("direct") else RECIPE
        path.write_text(wrong + "\n" + text if wrong.startswith("direct") else text + "\n" + wrong)
        with pytest.raises(BadInput, match=message):
            load_tables_recipe(path)
    with pytest.raises(BadInput, match="no such recipe"):
        load_tables_recipe(tmp_path / "absent.toml")
