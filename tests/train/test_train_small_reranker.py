"""The small reranker's training: what is asked of what, weights against their loss written out, one run of it all."""

import json
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core import BadInput
from xsearch.rank.rerank import load_reranker
from xsearch.rank.rerank.small import FEATURES, Measured, final_scores
from xsearch.train.recipe import Source
from xsearch.train.rows import read_parallel
from xsearch.train.small_reranker import load_small_recipe, train_small_reranker
from xsearch.train.small_reranker.lists import AnsweredList
from xsearch.train.small_reranker.listwise import Judged, fit_weights, reciprocal_rank
from xsearch.train.small_reranker.questions import ROWS, Drawer, make_material, shortened, stretches
from xsearch.train.small_reranker.training import fit

ENGLISH = ["river", "mountain", "bread", "window", "garden", "winter", "letter", "teacher", "market", "silver", "horse"]
GERMAN = ["Fluss", "Berg", "Brot", "Fenster", "Garten", "Winter", "Brief", "Lehrer", "Markt", "Silber", "Pferd"]


def lists(count, weights, seed=0):
    """Lists of 20 passages whose right one is drawn by the softmax of the weighted features."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        x = rng.normal(3.0, 2.0, (20, len(weights))).astype(np.float32)
        powers = np.exp(x @ np.asarray(weights))
        right = np.zeros(20, dtype=bool)
        right[rng.choice(20, p=powers / powers.sum())] = True
        made.append(Judged(x, right))
    return made


def loss(given, weights, ridge):
    """The docstring's formula, a list at a time."""
    total = 0.0
    for judged in given:
        scores = judged.features.astype(np.float64) @ weights
        for place in np.flatnonzero(judged.right):
            total -= (scores[place] - np.log(np.exp(scores).sum())) / judged.right.sum()
    spread = np.concatenate([judged.features for judged in given]).astype(np.float64).std(axis=0)
    return total / len(given) + ridge / 2 * np.sum((weights * spread) ** 2)


@pytest.mark.parametrize("ridge", [0.001, 0.3])
def test_weights_are_at_the_minimum_of_the_loss(ridge):
    given_lists = lists(60, [0.5, -0.3, 0.0])
    given_lists[0].right[:5] = True
    weights = fit_weights(given_lists, ridge)
    least = loss(given_lists, weights, ridge)
    for feature in range(3):
        for change in (-1e-3, 1e-3):
            moved = weights.copy()
            moved[feature] += change
            assert loss(given_lists, moved, ridge) > least


def test_weights_are_those_that_made_the_lists():
    np.testing.assert_allclose(fit_weights(lists(3000, [0.5, -0.3, 0.0]), 1e-6), [0.5, -0.3, 0.0], atol=0.03)


def test_the_unit_of_a_feature_does_not_matter():
    plain = lists(50, [0.5, -0.3])
    scaled = [Judged(judged.features * np.float32([1, 8]), judged.right) for judged in plain]
    np.testing.assert_allclose(fit_weights(scaled, 0.1) * [1, 8], fit_weights(plain, 0.1), rtol=1e-5)


def test_a_feature_that_never_differs_gets_no_weight():
    plain = lists(50, [0.5, -0.3])
    with_constant = [Judged(np.pad(j.features, ((0, 0), (0, 1)), constant_values=2), j.right) for j in plain]
    np.testing.assert_allclose(fit_weights(with_constant, 0.1), [*fit_weights(plain, 0.1), 0.0], atol=1e-9)


def test_lists_all_right_or_all_wrong_teach_nothing():
    idle = [Judged(np.ones((3, 2), np.float32), np.full(3, right)) for right in (True, False)]
    some = lists(50, [0.5, -0.3])
    np.testing.assert_array_equal(fit_weights(some + idle, 0.1), fit_weights(some, 0.1))
    with pytest.raises(BadInput, match="nothing to learn"):
        fit_weights(idle, 0.1)


def test_reciprocal_rank_by_hand():
    right = [np.array(answers) for answers in ([False, True, True], [False] * 3, [True, False, False])]
    scores = [np.array([3.0, 2.0, 1.0])] * 3
    assert reciprocal_rank(scores, right) == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert reciprocal_rank([-own for own in scores], right) == pytest.approx((1 + 0 + 1 / 3) / 3)


def test_agreement_is_worth_what_it_tells():
    # Of two passages that are alike both answer or neither; the features tell one of the two that do.
    rng = np.random.default_rng(3)
    given_lists = []
    for _ in range(200):
        x = rng.normal(0, 1, (6, len(FEATURES))).astype(np.float32)
        x[0, 0] += 3
        likeness = np.kron(np.eye(3), 1 - np.eye(2)).astype(np.float32)
        given_lists.append(AnsweredList(Measured(x, np.zeros(6, np.float32), likeness), np.arange(6) < 2))
    weights, agreement = fit(given_lists, 0.001)
    assert agreement > 1
    alone = [np.mean(own.right[np.argsort(-(own.measured.features @ weights))[:2]]) for own in given_lists]
    together = [
        np.mean(own.right[np.argsort(-final_scores(own.measured, weights, agreement))[:2]]) for own in given_lists
    ]
    assert np.mean(together) > np.mean(alone) + 0.1


@given(rows=st.integers(0, 300), seed=st.integers(0, 50))
def test_stretches_follow_each_other_without_overlap(rows, seed):
    found = sorted(stretches(rows, random.Random(seed)))
    assert all(end - begin - 1 in ROWS and end <= rows for begin, end in found)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(found))


@given(words=st.lists(st.sampled_from(ENGLISH), min_size=4, max_size=60), seed=st.integers(0, 50))
def test_a_shortened_row_is_words_of_it_that_follow_each_other(words, seed):
    asked = shortened(" ".join(words), random.Random(seed))
    assert len(asked) <= 150
    own = asked.split(" ")
    assert own == words or 3 <= len(own) <= 10
    assert any(words[at : at + len(own)] == own for at in range(len(words)))


def sentence(number, words):
    return " ".join(words[(number * step + step) % len(words)] for step in (1, 3, 5, 9, 11)) + f" {number}"


@pytest.fixture
def data(tmp_path):
    """40 sections and 100 rows of running text in two languages."""
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "guide.sections.jsonl").open("w") as file:
        for number in range(40):
            title = {"en": f"Guide: {sentence(number, ENGLISH)}", "de": f"Führer: {sentence(number, GERMAN)}"}
            text = {"en": f"{sentence(number, ENGLISH)}. " * 3, "de": f"{sentence(number, GERMAN)}. " * 3}
            file.write(json.dumps({"title": title, "text": text}) + "\n")
    with (folder / "story.jsonl").open("w") as file:
        for number in range(100):
            file.write(json.dumps({"en": sentence(number, ENGLISH), "de": sentence(number, GERMAN)}) + "\n")
    return folder


RECIPE = """
name = "tiny"
versions = [1, 2]
exclude = ["test*.jsonl"]
[[collections]]
name = "both"
files = ["guide.sections.jsonl", "story.jsonl"]
"""


@pytest.fixture
def recipe(tmp_path, data):
    (data / "test.jsonl").write_text(json.dumps({"en": sentence(7, ENGLISH)}) + "\n")
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def test_questions_have_answers_and_are_no_part_of_them(data):
    material = make_material(read_parallel(data, (Source("*.jsonl"),)), "all", 100, Drawer((1, 2), random.Random(3)))
    documents = {document.id: document for document in material.documents}
    assert len(documents) == len(material.documents)
    assert {document.lang for document in material.documents} == {"en", "de"}
    assert sum(asked.topic.id.startswith("all.s") for asked in material.questions) == 40
    assert any(asked.topic.id.startswith("all.r") for asked in material.questions)
    assert {len(asked.right) for asked in material.questions} == {1, 2}
    for asked in material.questions:
        for id in asked.right:
            document = documents[id]
            if asked.topic.id.startswith("all.r"):
                assert asked.topic.text not in document.text.split("\n")
            else:
                number = asked.topic.text.split()[-1]
                assert document.text.rstrip(". ").endswith(f" {number}")


def test_training_writes_a_card_that_ranks(recipe, data, tmp_path):
    card = train_small_reranker(load_small_recipe(recipe), data, tmp_path / "out")
    reranker = load_reranker(tmp_path / "out" / "tiny.toml")
    assert reranker.card == card
    assert card.settings.keys() == {"encoder", "agreement", "spelled", *FEATURES}
    assert card.scores["heldout_rr_reranked"] >= card.scores["heldout_rr_fused"] - 0.05
    assert [source.name for source in card.sources] == ["guide.sections.jsonl", "story.jsonl"]
    again = train_small_reranker(load_small_recipe(recipe), data, tmp_path / "again")
    assert again.settings == card.settings


def test_evaluation_text_that_is_missing_is_an_error(recipe, data, tmp_path):
    (data / "test.jsonl").unlink()
    with pytest.raises(BadInput, match="evaluation text"):
        train_small_reranker(load_small_recipe(recipe), data, tmp_path / "out")


@pytest.mark.parametrize(
    "line", ["depth = 1", "ridge = 0", "versions = []", "[[collections]]\nname = 'both'\nfiles = []", "seeds = 2"]
)
def test_recipes_that_make_no_sense_are_refused(tmp_path, line):
    plain = RECIPE.replace("versions = [1, 2]", "")
    (tmp_path / "bad.toml").write_text(RECIPE + line if "[[" in line else line + plain)
    with pytest.raises(BadInput, match=r"bad\.toml"):
        load_small_recipe(tmp_path / "bad.toml")


def test_the_command_says_what_it_made(recipe, data, tmp_path):
    done = CliRunner().invoke(
        app, ["train", "small-reranker", "--recipe", str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "tiny.toml: 9 weights" in done.output
