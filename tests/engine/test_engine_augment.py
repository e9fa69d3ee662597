"""Augmenting an index: questions are made once, outlive accidents, go with their passages, and find them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doubles.known_questions import ASKED, TEXTS, Known, build, found, settings, whole

from xsearch.core import Document, QuestionMatch, UsageError
from xsearch.engine import compact, open_index
from xsearch.engine.augmentation import augment
from xsearch.storage import read_manifest


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build(tmp_path_factory.mktemp("base") / "idx")


@pytest.fixture
def folder(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "idx"))


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
from doubles.known_questions import Known, settings
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
