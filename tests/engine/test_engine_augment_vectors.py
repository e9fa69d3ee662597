"""Questions in the vectors of passages: what is appended scores as what is built anew; the sum is the published one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from doubles.known_questions import ASKED, TEXTS, Known, build, dense_scores, settings, whole

import xsearch
from xsearch.core import Document, UsageError, Windows
from xsearch.engine import compact, open_index
from xsearch.engine.augmentation import augment
from xsearch.engine.questions import mixed
from xsearch.storage import generation_folder, read_manifest


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build(tmp_path_factory.mktemp("base") / "idx")


@pytest.fixture
def folder(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "idx"))


VECTORS = [
    ("vectors",),
    ("windows",),
    ("words", "windows", "vectors"),
]


@pytest.mark.parametrize("use", VECTORS)
def test_appended_vectors_score_as_those_of_an_index_built_anew(folder, use):
    known = Known({"en": ASKED, "de": {"bees": ["Obst im Garten", "Biene"], "iran": ["Wahl im Iran", "Präsident"]}})
    generation = read_manifest(folder).generation
    before = dense_scores(folder)
    assert augment(folder, known, settings(*use, alpha=0.2)).appended
    with open_index(folder) as index, index.writer() as writer:
        writer.delete(["canal"])
        writer.add(Document("new", TEXTS["bees"], lang="de"))
        writer.add(Document("english", "A poem about the sea.", lang="en"))
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("newer", TEXTS["canal"], lang="de"))
    assert augment(folder, known, settings(*use, langs=("en", "de"), alpha=0.2)).appended
    again = augment(folder, known, settings(*use, langs=("en", "de"), alpha=0.2))
    assert (again.appended, again.rebuilt, read_manifest(folder).generation) == (False, False, generation)
    found = dense_scores(folder)
    assert found != before
    assert whole(folder)
    compact(folder)
    assert dense_scores(folder) == found
    # Another share of what is there, none of a pair of languages, and none at all.
    generation = read_manifest(folder).generation
    for others in ({"alpha": 0.4}, {"alphas": {"en-de": 0.0}}):
        assert augment(folder, known, settings(*use, langs=("en", "de"), **others)).appended
        assert read_manifest(folder).generation == generation
        assert (dense_scores(folder) != found) == ("vectors" in use)
    assert augment(folder, known, settings(langs=("en", "de"))).appended
    assert read_manifest(folder).generation == generation
    assert dense_scores(folder)["bees"] == before["bees"]
    assert whole(folder)


def test_only_the_segments_whose_vectors_change_are_written_again(folder):
    augment(folder, Known(), settings("vectors"))
    for number in range(3):
        with open_index(folder) as index, index.writer() as writer:
            writer.add(Document(f"new {number}", f"Kapitel {number} handelt von Schiffen.", lang="de"))
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("last", TEXTS["canal"], lang="de"))
    old = read_manifest(folder).retrievers["dense"]["languages"]
    assert augment(folder, Known(), settings("vectors")).appended
    new = read_manifest(folder).retrievers["dense"]["languages"]
    assert (new["fa"], new["de"][:-1]) == (old["fa"], old["de"][:-1])
    assert [entry["first"] for entry in new["de"]] == [entry["first"] for entry in old["de"]]
    assert "made" not in old["de"][-1]
    assert new["de"][-1]["made"] == read_manifest(folder).commit
    assert whole(folder)
    with open_index(folder) as index:
        (best,) = index.search("shipping lane", lang="en", retrievers=["dense"], k=1, to=["de"], filter='id = "last"')
    assert best.id == "last"


def test_a_reader_keeps_its_vectors_while_they_are_made_anew(folder):
    with open_index(folder) as index:
        first = index.search("shipping lane", lang="en", retrievers=["dense"], explain=True)
        augment(folder, Known(), settings("vectors", alpha=0.5))
        again = index.search("shipping lane", lang="en", retrievers=["dense"], explain=True)
    assert [(hit.id, hit.explain[0].score) for hit in again] == [(hit.id, hit.explain[0].score) for hit in first]


def test_vectors_of_an_index_without_the_dense_retriever_are_refused(tmp_path):
    with xsearch.create(tmp_path / "idx", recipe="bm25") as index, index.writer() as writer:
        writer.add(Document("canal", TEXTS["canal"], lang="de"))
    with pytest.raises(UsageError, match="vectors are the dense retriever's, which this index has not: use words"):
        augment(tmp_path / "idx", Known(), settings("vectors"))


def test_a_mixed_vector_is_the_published_sum():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(7, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    windows = Windows(vectors[:4], np.array([0, 0, 1, 2]))
    rows, asked = np.array([0, 2, 2]), vectors[4:]
    same = mixed(windows, rows, asked, np.full(3, 0.1, np.float32), np.ones(3, np.float32))
    expected = [
        0.9 * vectors[0] + 0.1 * asked[0],
        0.9 * vectors[1] + 0.1 * asked[0],
        vectors[2],
        0.9 * vectors[3] + 0.1 * (asked[1] + asked[2]),
    ]
    np.testing.assert_allclose(same.vectors, [v / np.linalg.norm(v) for v in expected], rtol=1e-5, atol=1e-6)
    assert np.array_equal(same.vectors[2], vectors[2])
    # One share for each pair of languages, and a weight for each question.
    own = mixed(windows, rows, asked, np.array([0, 0.3, 0.1], np.float32), np.array([1, 0.5, 2], np.float32))
    by_hand = 0.8 * vectors[3] + 0.15 * asked[1] + 0.2 * asked[2]
    np.testing.assert_allclose(own.vectors[3], by_hand / np.linalg.norm(by_hand), rtol=1e-5)
    np.testing.assert_allclose(own.vectors[0], vectors[0], rtol=1e-6)


def test_windows_and_vectors_change_what_the_dense_retriever_finds(folder):
    text = "shipping lane"

    def score(folder):
        with open_index(folder) as index:
            hits = index.search(text, lang="en", retrievers=["dense"], explain=True)
        return {hit.id: hit.explain[0].score for hit in hits}

    before = score(folder)
    augment(folder, Known(), settings("windows"))
    # The question itself is a window of its passage.
    assert score(folder)["canal"] == pytest.approx(1.0, abs=0.02)
    assert score(folder)["iran"] == pytest.approx(before["iran"], abs=0.15)
    augment(folder, Known(), settings("vectors", alpha=0.3))
    assert before["canal"] < score(folder)["canal"] < 0.95
    augment(folder, Known(), settings("vectors", alpha=0.3, alphas={"en-de": 0.0}))
    assert score(folder)["canal"] == pytest.approx(before["canal"])
    assert generation_folder(folder, read_manifest(folder).generation).is_dir()
