"""Runs over many topics: the same bytes however they were made, and few rows held at a time."""

import os
import pickle
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xsearch
from xsearch.core import Topic, WorkerDied
from xsearch.encode import Runtime
from xsearch.engine import batch
from xsearch.engine.runs import resume_run

WORDS = ["river", "Fluss", "река", "bridge", "Brücke", "мост", "water", "old", "stone", "boat"]
TOPICS = [Topic(f"q{i:02d}", f"{WORDS[i % 10]} {WORDS[(3 * i + 1) % 10]}", "en") for i in range(30)]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    made = xsearch.create(tmp_path_factory.mktemp("runs") / "idx", recipe="bm25")
    with made.writer() as writer:
        for i in range(40):
            text = " ".join(WORDS[(i * k + k) % 10] for k in range(1, 6))
            writer.add(xsearch.Document(f"d{i}", text, lang="en"))
    return made


@pytest.fixture(scope="module")
def whole(index, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "run.txt"
    resume_run(index, TOPICS, output, 20, {})
    return output.read_bytes()


def test_a_run_is_what_search_many_gives(index, whole, tmp_path):
    from xsearch.corpora.formats.trec_run import write_run

    write_run(tmp_path / "direct.txt", index.search_many(TOPICS, 20))
    assert (tmp_path / "direct.txt").read_bytes() == whole


def test_processes_give_the_same_bytes(index, whole, tmp_path):
    done = resume_run(index, TOPICS, tmp_path / "run.txt", 20, {}, workers=2)
    assert (tmp_path / "run.txt").read_bytes() == whole
    assert (done.topics, done.resumed, done.rows) == (30, 0, whole.count(b"\n"))


def test_a_mistake_is_told_the_same_from_a_process(index, tmp_path):
    for workers in (1, 2):
        with pytest.raises(xsearch.UsageError, match="the index has no retriever 'none'"):
            resume_run(index, TOPICS, tmp_path / "run.txt", 20, {"retrievers": ["none"]}, workers=workers)


def test_a_topic_in_no_language_is_told_before_any_is_searched(index, tmp_path):
    topics = [*TOPICS[:2], Topic("q99", "river", "klingonish")]
    with pytest.raises(xsearch.UnknownLanguage, match="topic q99: unknown language 'klingonish'"):
        resume_run(index, topics, tmp_path / "run.txt", 5, {})
    assert not list(tmp_path.iterdir())


def test_a_process_that_dies_is_told(index, monkeypatch):
    monkeypatch.setattr(batch, "_work", _die)
    with pytest.raises(WorkerDied, match="a process that searched ended early"):
        list(index.search_each(TOPICS, 5, workers=2))


def _die(chunk):
    os._exit(9)


def test_stopped_and_taken_up_again(index, whole, tmp_path):
    output = tmp_path / "run.txt.zst"

    def stop(done):
        if done == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resume_run(index, TOPICS, output, 20, {}, stop)
    assert not output.exists()
    asked = []
    done = resume_run(index, TOPICS, output, 20, {}, asked.append)
    assert done.resumed == 11
    assert asked == list(range(12, 31))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.txt.zst"]
    import zstandard

    with output.open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file).read() == whole


def test_topics_in_another_order_are_written_in_theirs(index, whole, tmp_path):
    output = tmp_path / "run.txt"
    with pytest.raises(KeyboardInterrupt):
        resume_run(index, TOPICS[::-1], output, 20, {}, lambda done: _stop() if done == 7 else None)
    assert resume_run(index, TOPICS, output, 20, {}).resumed == 7
    assert output.read_bytes() == whole


def _stop():
    raise KeyboardInterrupt


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 20_000), junk=st.binary(max_size=40))
def test_whatever_is_left_of_the_part_file(index, whole, tmp_path, cut, junk):
    output = tmp_path / "run.txt"
    with pytest.raises(KeyboardInterrupt):
        resume_run(index, TOPICS, output, 20, {}, lambda done: _stop() if done == 9 else None)
    part = tmp_path / "run.txt.part"
    part.write_bytes(part.read_bytes()[:cut] + junk)
    resume_run(index, TOPICS, output, 20, {})
    assert output.read_bytes() == whole
    output.unlink()


def test_other_settings_begin_anew(index, tmp_path):
    output = tmp_path / "run.txt"
    with pytest.raises(KeyboardInterrupt):
        resume_run(index, TOPICS, output, 20, {}, lambda done: _stop() if done == 9 else None)
    assert resume_run(index, TOPICS, output, 5, {}).resumed == 0
    assert output.read_text().count("q00 ") == 5


def test_only_a_few_topics_are_begun_before_they_are_taken():
    begun = []
    with ThreadPoolExecutor(1) as pool:

        def submit(chunk) -> Future:
            begun.append(chunk)
            return pool.submit(lambda: [(topic, [], []) for topic in chunk])

        answers = batch._in_order(submit, ([topic] for topic in TOPICS), 2)
        taken = [next(answers)[0].id for _ in range(3)]
        assert taken == ["q00", "q01", "q02"]
        assert len(begun) == 2 * batch.AHEAD + 2
        answers.close()


def test_a_manifest_travels_to_a_process(index):
    assert pickle.loads(pickle.dumps(index.manifest)) == index.manifest


def test_processes_run_encoders_where_the_index_does(tmp_path, monkeypatch):
    xsearch.create(tmp_path / "i", "bm25").close()
    handed = []

    def start(*arguments, initargs, **options):
        handed.append(initargs)
        raise RuntimeError("seen enough")

    monkeypatch.setattr(batch, "ProcessPoolExecutor", start)
    index = xsearch.open(tmp_path / "i", Runtime("cpu", "bf16"))
    with pytest.raises(RuntimeError, match="seen enough"):
        list(index.search_each(["a", "b"], workers=2))
    assert Runtime("cpu", "bf16") in handed[0]
