"""Generated questions taken out again: the index finds as it did without, whatever stops it on the way."""

import shutil
from pathlib import Path

import pytest
from doubles.known_questions import TEXTS, Known, build, dense_scores, found, settings, whole

from xsearch.core import Document
from xsearch.engine import open_index
from xsearch.engine.augmentation import augment, remove_questions
from xsearch.storage import read_manifest


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build(tmp_path_factory.mktemp("base") / "idx")


@pytest.fixture
def folder(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "idx"))


@pytest.mark.parametrize("use", [("words",), ("vectors",), ("windows",), ("words", "windows", "vectors")])
def test_all_questions_can_be_taken_out_again(folder, use):
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("english", "A poem about the sea.", lang="en"))
    before, generation = (found(folder, "Kanal und Schiffe"), dense_scores(folder)), read_manifest(folder).generation
    augment(folder, Known(), settings(*use, alpha=0.3))
    with open_index(folder) as index, index.writer() as writer:
        writer.delete(["bees"])
    assert (dense_scores(folder)["canal"] == before[1]["canal"]) == (use == ("words",))
    assert remove_questions(folder) == 4
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("bees", TEXTS["bees"], lang="de"))
    assert (found(folder, "Kanal und Schiffe"), dense_scores(folder)) == before
    manifest = read_manifest(folder)
    assert (manifest.generation, manifest.recipe["retrievers"]) == (generation, ["bm25", "dense"])
    assert not any("generated" in name for name in manifest.files)
    assert whole(folder)
    assert remove_questions(folder) == 0
    # What was taken out may be made again.
    assert augment(folder, Known(), settings(*use)).appended
    assert found(folder, "shipping lane", k=1) == ["canal"]


def test_questions_that_only_the_vectors_know_of_are_taken_out_by_building_anew(folder):
    before, generation = dense_scores(folder), read_manifest(folder).generation
    augment(folder, Known(), settings("vectors", alpha=0.3))

    class Stops(Known):
        def generate(self, passages, lang, count, seed):
            if passages[0].number == 1:
                raise KeyboardInterrupt
            return super().generate(passages, lang, count, seed)

    # Other settings have taken the questions out of the store.
    with pytest.raises(KeyboardInterrupt):
        augment(folder, Stops(), settings("vectors", alpha=0.3, count=1))
    remove_questions(folder)
    assert (dense_scores(folder), read_manifest(folder).generation) == (before, generation + 1)


def test_taking_out_that_was_cut_short_goes_on(folder, monkeypatch):
    before = dense_scores(folder)
    augment(folder, Known(), settings("words", "vectors", alpha=0.3))

    def stops(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("xsearch.engine.augmentation._commit", stops)
        with pytest.raises(KeyboardInterrupt):
            remove_questions(folder)
    # Searches see none of the questions, which are still there.
    assert dense_scores(folder) == before
    assert found(folder, "Kanal", k=1) == ["canal"]
    assert remove_questions(folder) == 4
    assert (dense_scores(folder), whole(folder)) == (before, True)
