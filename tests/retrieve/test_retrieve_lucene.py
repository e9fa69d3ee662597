"""Lucene against counting and against Anserini itself; its process killed; what is said where it cannot run.

Tests with Java need XSEARCH_LUCENE_PYTHON, the interpreter that has pyserini, unless this one has it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from retrieve_oracles import LanguageOracle, fingerprint, kept_length, phrase, text_batch, text_query, words, zipf_texts

from xsearch.core import Clause, IndexDamaged, MissingExtra, PassageBatch, Query, Ranking, WorkerDied
from xsearch.core.data import data_path
from xsearch.retrieve import Lucene, LuceneWriter
from xsearch.retrieve import lucene as module
from xsearch.retrieve.lucene_process import INTERPRETER, LuceneProcess, interpreter, unusable
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

java = pytest.mark.java
SETTINGS = {"k1": 0.9, "b": 0.4, "rm3": None, "python": ""}
LANGS = ("xh", "yo", "zu")
"""Languages for which Lucene has no analyzer: they have our terms."""


class LuceneOracle(LanguageOracle):
    """Lucene's BM25: without the factor k1 + 1, phrases by the sum of their terms' idf."""

    k1, b = 0.9, 0.4

    def weight(self, number, field, idf, tf):
        length = kept_length(len(self.text(number, field)))
        return idf * tf / (tf + self.k1 * (1 - self.b + self.b * length / self.average[field]))


def build(folder, batches, state=None, high_water=0):
    """Commit each batch on its own; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or SETTINGS
    for batch in batches:
        writer = LuceneWriter(folder, state, high_water=high_water, files=DiskFiles())
        try:
            writer.add(batch)
            state = writer.flush()
        finally:
            writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def batch_of(numbers, langs, bodies) -> PassageBatch:
    plain = text_batch(list(numbers), list(langs), list(bodies))
    return PassageBatch(plain.numbers, plain.langs, plain.terms, plain.title_terms, texts=plain.terms)


def written(lang: str, texts: list[str]) -> PassageBatch:
    """Passages that Lucene is to analyze."""
    nothing = [""] * len(texts)
    return PassageBatch(np.arange(len(texts)), [lang] * len(texts), nothing, nothing, texts=texts)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """600 passages in three languages, in three commits."""
    rng = np.random.default_rng(7)
    bodies, langs = zipf_texts(rng, 600), rng.choice(LANGS, 600, p=(0.6, 0.3, 0.1)).tolist()
    folder = tmp_path_factory.mktemp("lucene")
    batches = [batch_of(range(s, s + 200), langs[s : s + 200], bodies[s : s + 200]) for s in range(0, 600, 200)]
    oracles = {lang: LuceneOracle({i: (bodies[i], []) for i in range(600) if langs[i] == lang}) for lang in LANGS}
    return folder, build(folder, batches), oracles, batches


@pytest.fixture(scope="module")
def reader(collection):
    return Lucene(*collection[:2])


def check(ranking: Ranking, oracle: dict[int, float], depth: int) -> None:
    best = sorted(oracle.values(), reverse=True)[:depth]
    np.testing.assert_allclose(ranking.scores, best, rtol=1e-4)
    np.testing.assert_allclose(ranking.scores, [oracle[p] for p in ranking.passages.tolist()], rtol=1e-4)
    assert np.array_equal(np.lexsort((ranking.passages, -ranking.scores)), np.arange(len(ranking)))


@java
def test_scores_and_ranks_are_lucenes_bm25_of_each_language(collection, reader):
    _, _, oracles, _ = collection
    rng = np.random.default_rng(1)
    for trial in range(20):
        terms = [f"w{min(int(rank), 200)}" for rank in rng.zipf(1.2, rng.integers(1, 9))]
        clauses = (words(*terms), *([phrase("w1", "w2")] if trial % 4 == 0 else []))
        depth = int(rng.choice([1, 10, 2000]))
        ranking = reader.search(text_query(LANGS, *clauses), depth)
        for lang, oracle in oracles.items():
            own = np.isin(ranking.passages, list(oracle.passages))
            check(Ranking(ranking.passages[own], ranking.scores[own]), oracle.scores(clauses), depth)
            repeated = sum(oracle.idf("body", term) for term in terms) / 1.9
            assert ranking.background[lang] == pytest.approx((0.0, repeated)), trial


@java
@pytest.mark.parametrize("share", [0.999, 0.5, 0.02, 0.0])
@pytest.mark.parametrize("listed", [0, 2000])
def test_a_mask_costs_no_hit(collection, reader, monkeypatch, share, listed):
    monkeypatch.setattr(module, "LISTED_PASSAGES", listed)
    allowed = np.random.default_rng(int(share * 1000)).random(600) < share
    for terms in (("w1",), ("w2", "w40"), ("w3", "w3", "w9")):
        whole = reader.search(text_query(("xh",), words(*terms)), 2000)
        inside = allowed[whole.passages]
        for depth in (1, 7, 500):
            found = reader.search(text_query(("xh",), words(*terms)), depth, allowed)
            assert np.array_equal(found.passages, whole.passages[inside][:depth])
            assert np.array_equal(found.scores, whole.scores[inside][:depth])


@java
def test_commits_do_not_show_in_the_scores_and_ties_go_by_number(collection, reader, tmp_path):
    *_, batches = collection
    writer = LuceneWriter(tmp_path / "one", SETTINGS, high_water=0, files=DiskFiles())
    for batch in batches:
        writer.add(batch)
    one = Lucene(tmp_path / "one", writer.flush())
    writer.close()
    for terms in (("w1", "w2", "w3"), ("w7",), ("w50", "w1")):
        query = text_query(LANGS, words(*terms))
        left, right = one.search(query, 50), reader.search(query, 50)
        assert np.array_equal(left.passages, right.passages)
        assert np.array_equal(left.scores, right.scores)
    folder, query = tmp_path / "ties", text_query(("xh",), words("a"))
    state = build(folder, [batch_of(range(i, i + 30), ["xh"] * 30, [["a", "b"]] * 30) for i in (0, 30, 60)])
    assert Lucene(folder, state).search(query, 40).passages.tolist() == list(range(40))


@java
def test_rankings_are_anserinis(tmp_path):
    """Sentences of the demo in languages of seven scripts, with other k1 and b, with and without RM3."""
    folder = data_path("eval/collections/demo")
    texts, queries = {}, {}
    for line in (folder / "docs.jsonl").read_text(encoding="utf-8").splitlines():
        doc = json.loads(line)
        sentences = doc["text"].replace("。", "。\n").replace("। ", "।\n").replace(". ", ".\n").replace("؟ ", "؟\n")
        texts.setdefault(doc["lang"], []).extend(sentences.splitlines())
    for line in (folder / "topics.jsonl").read_text(encoding="utf-8").splitlines():
        topic = json.loads(line)
        queries.setdefault(topic["lang"], []).append(topic["text"])
    asked = [
        {"lang": lang, "texts": texts[lang], "queries": queries[lang], "k1": k1, "b": b, "rm3": rm3}
        for lang in ("ar", "de", "en", "fa", "hi", "ja", "ru", "th", "zh")
        if lang in texts and lang in queries
        for k1, b, rm3 in [(0.9, 0.4, False)] + [(1.6, 0.75, False), (0.9, 0.4, True)] * (lang in ("de", "en", "zh"))
    ]
    lines = [json.dumps({**one, "folder": str(tmp_path / f"anserini{i}")}) for i, one in enumerate(asked)]
    script = Path(__file__).parents[1] / "doubles" / "anserini_rankings.py"
    done = subprocess.run(
        [interpreter(), str(script)], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = [json.loads(line[8:]) for line in done.stdout.splitlines() if line.startswith("ranking ")]
    assert len(theirs) == len(asked) >= 9
    compared = 0
    for i, (one, rankings) in enumerate(zip(asked, theirs, strict=True)):
        lang, feedback = one["lang"], {"docs": 10, "terms": 10, "weight": 0.5} if one["rm3"] else None
        settings = {**SETTINGS, "k1": one["k1"], "b": one["b"], "rm3": feedback}
        folder = tmp_path / f"ours{i}"
        ours = Lucene(folder, build(folder, [written(lang, one["texts"])], settings))
        for text, ranking in zip(one["queries"], rankings, strict=True):
            found = ours.search(Query(text, (), wordings={lang: (Clause(text),)}), 50)
            # Anserini rounds scores and lets equal ones differ a little; its ties go by another order.
            np.testing.assert_allclose(found.scores, [score for _, score in ranking], atol=2e-4, err_msg=str(one))
            scores = dict(zip(found.passages.tolist(), found.scores.tolist(), strict=True))
            for number, score in ranking:
                if score > ranking[-1][1] + 1e-3:
                    assert scores[number] == pytest.approx(score, abs=2e-4)
                    compared += 1
    assert compared > 200


@java
def test_a_reader_keeps_its_snapshot_and_writes_nothing(collection, tmp_path):
    folder, state = tmp_path / "lucene", collection[1]
    shutil.copytree(collection[0], folder)
    before = fingerprint(folder)
    early, query = Lucene(folder, state), text_query(LANGS, words("w1", "w2"))
    expected = early.search(query, 20)
    assert {name: kept[0] for name, kept in before.items()} == {n: kept[0] for n, kept in fingerprint(folder).items()}
    writer = LuceneWriter(folder, state, high_water=600, files=DiskFiles())
    writer.add(batch_of(range(600, 650), ["xh"] * 50, [["w1", "w2"]] * 50))
    later = writer.flush()
    writer.close()
    assert np.array_equal(Lucene(folder, state).search(query, 20).passages, expected.passages)
    assert not np.array_equal(Lucene(folder, later).search(query, 20).passages, expected.passages)
    for name in set(state["files"]) - set(later["files"]):
        (folder / name).unlink()
    assert np.array_equal(early.search(query, 20).passages, expected.passages)
    assert list(folder.glob("writing-*")) == []
    with pytest.raises(IndexDamaged, match="open the index again"):
        Lucene(folder, state).search(query, 20)


@java
@pytest.mark.parametrize("point", ["retrieve.lucene.flush.language", "no flush at all"])
def test_what_a_crash_left_is_dropped(tmp_path, monkeypatch, point):
    texts = zipf_texts(np.random.default_rng(5), 300)
    first, lost, again = (batch_of(range(*r), ["xh", "yo"] * 50, t) for r, t in [
        ((0, 100), texts[:100]), ((100, 200), texts[100:200]), ((100, 200), texts[200:])]
    )  # fmt: skip
    state = build(tmp_path / "crashed", [first])
    writer = LuceneWriter(tmp_path / "crashed", state, high_water=100, files=DiskFiles())
    writer.add(lost)
    if point != "no flush at all":

        def crash(name):
            raise Crash

        monkeypatch.setattr(module, "reach", crash)
        with pytest.raises(Crash):
            writer.flush()
        monkeypatch.undo()
    writer._process.close()
    state = build(tmp_path / "crashed", [again], state, high_water=100)
    clean = build(tmp_path / "clean", [first, again])
    for terms in (("w1", "w2", "w3"), ("w5",)):
        query = text_query(("xh", "yo"), words(*terms))
        found, wanted = (Lucene(tmp_path / n, s).search(query, 50) for n, s in [("crashed", state), ("clean", clean)])
        assert np.array_equal(found.passages, wanted.passages)
        assert np.array_equal(found.scores, wanted.scores)


@java
def test_a_killed_process_is_started_again_by_a_reader_not_by_a_writer(collection, reader, tmp_path, caplog):
    query = text_query(LANGS, words("w1", "w2"))
    expected = reader.search(query, 20)
    os.kill(reader._process._child.pid, signal.SIGKILL)
    assert np.array_equal(reader.search(query, 20).passages, expected.passages)
    assert "started again" in caplog.text
    writer = LuceneWriter(tmp_path, SETTINGS, high_water=0, files=DiskFiles())
    writer.add(batch_of([0, 1], ["xh", "yo"], [["a"], ["b"]]))
    os.kill(writer._process._child.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="committed before is unharmed"):
        writer.flush()
    writer.close()


@java
def test_texts_that_java_might_not_like(tmp_path):
    odd = ["", "\x00\x00", "a\x00b c", "😀 \U00020000", "lone \ud800 surrogate", "x" * 70_000, "الحادي عشر", "\u200e"]
    lucene = Lucene(tmp_path, build(tmp_path, [written("de", odd)]))
    for place, text in ((2, "c"), (3, "\U00020000"), (4, "surrogate \udfff"), (6, "الحادي")):
        found = lucene.search(Query(text, (), wordings={"de": (Clause(text),)}), 10)
        assert found.passages.tolist() == [place]
    assert len(lucene.search(Query("", (), wordings={"de": (Clause(" "), Clause('"', phrase=True))}), 10)) == 0


def test_the_interpreter_is_the_environments_then_the_recipes_then_this_one(monkeypatch):
    monkeypatch.delenv(INTERPRETER, raising=False)
    assert interpreter() == sys.executable
    assert interpreter("/a/python") == "/a/python"
    monkeypatch.setenv(INTERPRETER, "/b/python")
    assert interpreter("/a/python") == "/b/python"


def test_what_is_missing_is_said_with_the_line_that_installs_it(tmp_path, monkeypatch):
    with pytest.raises(MissingExtra, match=INTERPRETER):
        LuceneProcess(str(tmp_path / "no python")).versions()
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(MissingExtra, match=r"pip install 'xsearch-clir\[lucene\]'.*lucene/bin/pip install pyserini"):
        LuceneProcess(str(bare)).versions()
    old = unusable("python", "version", {"pyserini": "1.6.0", "java": "17.0.15", "home": "/jdk"})
    assert old.startswith("pyserini 1.6.0 does not run on Java 17.0.15 (/jdk): set JAVA_HOME to a JDK of version 21")
    assert "Java did not start" in unusable("python", "java", "no libjvm")
    monkeypatch.setenv("JAVA_HOME", "/no/such")
    told = unusable("python", "java", " Unable to find libjvm.so\n  you can use JVM_PATH\n")
    assert "(there is none in JAVA_HOME, /no/such)" in told
    assert told.endswith("Unable to find libjvm.so")


def stand_in(folder: Path, body: str) -> str:
    """An interpreter that runs `body` instead of the script: `say` and `hear` exchange messages."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n" + textwrap.dedent("""\
        import json, os, struct, sys
        def say(message):
            body = json.dumps(message).encode()
            os.write(1, struct.pack("<I", len(body)) + body)
        def hear():
            head = sys.stdin.buffer.read(4)
            return json.loads(sys.stdin.buffer.read(struct.unpack("<I", head)[0])) if head else sys.exit()
        """) + textwrap.dedent(body))  # fmt: skip
    path.chmod(0o755)
    return str(path)


def test_a_process_that_dies_is_heard_out_and_the_next_request_starts_another(tmp_path):
    process = LuceneProcess(
        stand_in(
            tmp_path,
            """
            say({"ready": {"lucene": "9"}})
            while request := hear():
                if request["op"] == "die":
                    print("out of memory", file=sys.stderr)
                    sys.exit(7)
                say({"reply": [os.getpid(), request["dropped"]]})
            """,
        )
    )
    first, dropped = process.ask("x")
    process.drop("a")
    assert (dropped, process.ask("x"), process.ask("x")) == ([], [first, ["a"]], [first, []])
    with pytest.raises(WorkerDied, match=r"exit status 7\): out of memory"):
        process.ask("die")
    second, _ = process.ask("x")
    assert second != first
    assert process.versions() == {"lucene": "9"}
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_the_process_ends_when_nobody_refers_to_it(tmp_path):
    process = LuceneProcess(stand_in(tmp_path, 'say({"ready": {}})\nwhile hear(): say({"reply": os.getpid()})'))
    pid = process.ask("x")
    del process
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
