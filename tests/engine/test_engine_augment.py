"""Augmenting an index: questions are made once, outlive accidents, go with their passages, and find them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xsearch
from xsearch.core import Document, QuestionMatch, UsageError, Windows
from xsearch.engine import compact, open_index
from xsearch.engine.augmentation import augment, remove_questions
from xsearch.engine.questions import mixed
from xsearch.engine.recipe import AugmentSettings, FusionSettings, Recipe
from xsearch.generate import Made
from xsearch.storage import check_index, generation_folder, read_manifest

TEXTS = {
    "iran": "انتخابات ریاست جمهوری در ایران با مشارکت پایین برگزار شد.",
    "bees": "Bienen bestäuben im Frühling die Obstbäume am Bodensee.",
    "canal": "Der Kanal verbindet zwei Meere und wird von Schiffen befahren.",
}
ASKED = {"iran": ["who stood for president"], "bees": ["pollination of orchards", "spring"], "canal": ["shipping lane"]}


class Known:
    """Makes the questions of a table, and remembers which passages it was given."""

    name, fingerprint, batch, is_running_text = "known", "1", 1, True

    def __init__(self, asked=None):
        self.asked = asked or {"en": ASKED}
        self.given = []

    def settings(self):
        return {}

    def speaks(self, lang):
        return lang in self.asked

    def generate(self, passages, lang, count, seed):
        self.given += [(lang, passage.number) for passage in passages]
        by_text = {text: id for id, text in TEXTS.items()}
        return [
            [Made(text) for text in self.asked[lang].get(by_text.get(passage.text), ())[:count]] for passage in passages
        ]


def settings(*use, langs=("en",), **others):
    return AugmentSettings("known", langs, use=use or ("words",), **others)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "idx"
    recipe = Recipe("test", retrievers=("bm25", "dense"), fusion=FusionSettings(weights={"generated": 3.0}))
    with xsearch.create(folder, recipe=recipe) as index, index.writer() as writer:
        for id, text in TEXTS.items():
            writer.add(Document(id, text, lang="fa" if id == "iran" else "de"))
    return folder


@pytest.fixture
def folder(base, tmp_path):
    shutil.copytree(base, tmp_path / "idx")
    return tmp_path / "idx"


def found(folder, text, **options):
    with open_index(folder) as index:
        return [hit.id for hit in index.search(text, lang="en", **options)]


def whole(folder):
    return [problem.message for problem in check_index(folder) if problem.level == "error"] == []


def test_a_passage_is_found_by_words_of_a_language_that_no_document_is_in(folder):
    assert found(folder, "shipping lane", retrievers=["bm25"]) == []
    report = augment(folder, Known(), settings())
    assert (report.passages, report.questions, report.appended, report.rebuilt) == (3, 4, True, False)
    assert found(folder, "shipping lanes", retrievers=["generated"]) == ["canal"]
    assert found(folder, "orchards in spring", k=1) == ["bees"]
    assert found(folder, "shipping", to=["fa"], retrievers=["generated"]) == []
    with open_index(folder) as index:
        hit = index.search("who stood for president", lang="en")[0]
        assert (hit.id, hit.questions) == ("iran", (QuestionMatch("who stood for president", "en", "known", True),))
        assert index.search("Schiffe", lang="de")[0].questions == ()
    assert whole(folder)


def test_nothing_is_made_twice_and_what_comes_later_is_made_up_for(folder):
    first = Known()
    augment(folder, first, settings())
    again = Known()
    report = augment(folder, again, settings())
    assert (again.given, report.questions, report.resumed) == ([], 0, 3)
    assert (report.appended, report.rebuilt) == (False, False)
    generation = read_manifest(folder).generation
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("canal", TEXTS["canal"], title="Neu", lang="de"))
    # Its passage is another one now: the old one's questions are gone, those of the new one to come.
    assert found(folder, "shipping lane", retrievers=["generated"]) == []
    report = augment(folder, again, settings())
    assert (again.given, report.appended, read_manifest(folder).generation) == ([("en", 3)], True, generation)
    assert found(folder, "shipping lane", retrievers=["generated"]) == ["canal"]
    # Other settings make other questions, which take the place of the former ones.
    other = Known()
    assert augment(folder, other, settings(count=1)).rebuilt
    assert (len(other.given), read_manifest(folder).generation) == (3, generation + 1)
    with open_index(folder) as index:
        (count,) = index.snapshot.store.questions.counts()
        assert (count.questions, len(index.snapshot.store.questions.between(0, 9))) == (3, 3)


def test_questions_live_through_compaction_and_go_with_their_document(folder):
    augment(folder, Known(), settings())
    with open_index(folder) as index, index.writer() as writer:
        writer.delete(["bees"])
    assert found(folder, "pollination", retrievers=["generated"]) == []
    compact(folder)
    assert found(folder, "pollination", retrievers=["generated"]) == []
    assert found(folder, "shipping lane", retrievers=["generated"]) == ["canal"]
    with open_index(folder) as index:
        (count,) = index.snapshot.store.questions.counts()
    assert (count.generator.lang, count.questions, count.passages) == ("en", 2, 2)
    assert whole(folder)


def test_appended_questions_score_as_those_of_an_index_built_anew(folder):
    german = {"bees": ["Obst im Garten", "Biene"], "iran": ["Wahl im Iran", "Präsident"]}
    known = Known({"en": ASKED, "de": german})

    def scores():
        asked = [("spring orchards lane", "en"), ("who stood for president", "en"), ("Wahl und Biene im Garten", "de")]
        with open_index(folder) as index:
            return [
                [(hit.id, hit.score) for hit in index.search(text, lang=lang, retrievers=names)]
                for text, lang in asked
                for names in (["generated"], None)
            ]

    assert augment(folder, known, settings()).appended
    with open_index(folder) as index, index.writer() as writer:
        writer.add(Document("new", TEXTS["bees"], lang="de"))
    # Another language for all, and a passage that came later; then the rest of what was there.
    assert augment(folder, known, settings(langs=("de",))).appended
    assert augment(folder, known, settings(langs=("de", "en"))).appended
    assert known.given == [("en", 0), ("en", 1), ("en", 2)] + [("de", n) for n in range(4)] + [("en", 3)]
    assert found(folder, "orchards", retrievers=["generated"]) == ["bees", "new"]
    before, support = scores(), _supports(folder)
    assert all(before)
    assert whole(folder)
    compact(folder)
    assert (scores(), _supports(folder)) == (before, support)
    assert not augment(folder, known, settings(langs=("de", "en"))).rebuilt


def _supports(folder):
    with open_index(folder) as index:
        state = index.manifest.retrievers["generated"]
    return state["passages"], state["asked"]


def test_what_cannot_be_appended_builds_the_index_anew(folder):
    assert augment(folder, Known(), settings()).appended
    # A second generator asks in the same language: a passage has one row there.
    second = Known({"en": {"canal": ["sea route"]}})
    second.name = "second"
    report = augment(folder, second, settings())
    assert (report.appended, report.rebuilt) == (False, True)
    assert found(folder, "sea route", retrievers=["generated"]) == ["canal"]
    assert found(folder, "shipping lane", retrievers=["generated"]) == ["canal"]
    # From words to vectors and back: the row of words stays as it is.
    generation = read_manifest(folder).generation
    assert augment(folder, second, settings("words", "vectors")).appended
    assert augment(folder, second, settings()).appended
    assert read_manifest(folder).generation == generation
    # What a part has and the store has no more takes a new generation.
    assert augment(folder, second, settings("vectors", count=1)).rebuilt


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


def dense_scores(folder):
    texts = ["shipping lane", "spring orchards", "Wahl im Iran", "a poem"]
    with open_index(folder) as index:
        found: dict[str, list[float]] = {}
        for text in texts:
            for hit in index.search(text, lang="en", retrievers=["dense"], explain=True):
                found.setdefault(hit.id, []).append(hit.explain[0].score)
    return found


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


def test_questions_that_an_index_was_compacted_without_are_appended_all(folder):
    class Stops(Known):
        def generate(self, passages, lang, count, seed):
            if passages[0].number == 2:
                raise KeyboardInterrupt
            return super().generate(passages, lang, count, seed)

    with pytest.raises(KeyboardInterrupt):
        augment(folder, Stops(), settings())
    compact(folder)
    assert "generated" not in read_manifest(folder).retrievers
    assert augment(folder, Known(), settings()).appended
    assert found(folder, "orchards", retrievers=["generated"]) == ["bees"]
    assert found(folder, "shipping lane", retrievers=["generated"]) == ["canal"]


@pytest.mark.parametrize("use", [("words",), *VECTORS])
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


def test_a_generator_that_loops_or_answers_in_another_language_is_counted(folder):
    asked = {
        "iran": ["who who who who who who", "چه کسی در انتخابات ایران پیروز شد", "?", "the vote"],
        "bees": ["wer bestäubt die Obstbäume am schönen Bodensee im Frühling", "the vote", "the  vote", "\ud800bees"],
    }
    report = augment(folder, Known({"en": asked}), settings())
    assert report.dropped == {"loop": 1, "language": 2, "empty": 1, "duplicate": 1}
    with open_index(folder) as index:
        questions = index.snapshot.store.questions
        assert [q.text for q in questions.between(0, 9)] == ["the vote", "the vote", "bees"]
        assert questions.counts()[0].dropped == dict(report.dropped)


def test_a_question_that_does_not_find_its_passage_is_dropped(folder):
    asked = {"bees": ["Bienen", "Kanal Schiffen"], "canal": ['+Kanal "Meere"']}
    report = augment(folder, Known({"de": asked}), settings(langs=("de",), round_trip=1))
    assert report.dropped == {"not found again": 1}
    with open_index(folder) as index:
        assert [q.text for q in index.snapshot.store.questions.between(0, 9)] == ["Bienen", '+Kanal "Meere"']


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"langs": ()}, "in which languages"),
        ({"langs": ("en", "sw")}, "makes no questions in 'sw'"),
        ({"count": 0}, "at least one question"),
        ({"alpha": 1.0}, "alpha is 0 or more and below 1"),
        ({"alphas": {"en-de": -0.1}}, "alpha is 0 or more and below 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder, wrong, message):
    commit = read_manifest(folder).commit
    with pytest.raises(UsageError, match=message):
        augment(folder, Known(), settings(**wrong))
    assert read_manifest(folder).commit == commit


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from engine.test_engine_augment import Known, settings
from xsearch.engine.augmentation import augment
from xsearch.storage import failpoints

left = {times}
def die():
    global left
    left -= 1
    if not left:
        failpoints.kill()

failpoints.arm({point!r}, die)
augment(Path({folder!r}), Known(), settings(*{use!r}))
"""


@pytest.mark.parametrize(
    ("point", "times", "left", "use"),
    [
        ("augment.stored", 2, 2, ("words",)),
        ("storage.commit.after", 2, 2, ("words",)),
        ("augment.committed", 2, 1, ("words",)),
        ("augment.appended", 1, 0, ("words",)),
        ("augment.before_manifest", 1, 0, ("words",)),
        ("retrieve.dense.write.after", 2, 0, ("words", "windows")),
        ("augment.before_manifest", 1, 0, ("words", "windows")),
    ],
)
def test_killed_at_any_point_a_run_goes_on_where_it_was(folder, point, times, left, use):
    tests = str(Path(__file__).parent.parent)
    script = KILLED.format(tests=tests, point=point, times=times, folder=str(folder), use=use)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == -9, done.stderr
    assert whole(folder)
    assert found(folder, "Kanal", retrievers=["bm25"]) == ["canal"]
    rest = Known()
    report = augment(folder, rest, settings(*use))
    assert (len(rest.given), report.appended, report.rebuilt) == (left, True, False)
    with open_index(folder) as index:
        texts = [q.text for q in index.snapshot.store.questions.between(0, 9)]
    assert sorted(texts) == sorted(text for own in ASKED.values() for text in own)
    assert found(folder, "shipping lane", retrievers=["generated"]) == ["canal"]


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
