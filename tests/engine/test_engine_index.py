"""The index as a library: what goes in comes out, through commits, replacements, deletions and compaction."""

import asyncio
import hashlib
import threading
from pathlib import Path

import pytest
from doubles.engine_model import apply, create, document, expected, observed, problems

import xsearch
from xsearch.core import Document, Topic
from xsearch.core.data import data_path
from xsearch.engine import compact
from xsearch.engine import writer as writer_module
from xsearch.storage import check_index


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "idx"


def filled(folder: Path, commits: int) -> xsearch.Index:
    index = create(folder)
    for commit in range(1, commits + 1):
        with index.writer() as writer:
            apply(writer, commit)
    return index


def test_every_part_follows_the_model_through_commits_and_compaction(folder):
    index = filled(folder, 4)
    assert problems(observed(index), [4]) == ""
    before = {p.number for d in index.snapshot.store.documents() for p in [d] if p}
    compact(folder)
    index.refresh()
    assert problems(observed(index), [4]) == ""
    assert {d.number for d in index.snapshot.store.documents()} == before
    with index.writer() as writer:
        apply(writer, 5)
    assert problems(observed(index), [5]) == ""
    assert problems(observed(xsearch.open(folder)), [5]) == ""
    assert [p for p in check_index(folder) if p.level == "error"] == []


def test_a_passage_number_is_never_used_again(folder):
    index = filled(folder, 2)
    seen = set(range(index.manifest.high_water))
    with index.writer() as writer:
        writer.delete(list(expected(2)))
    compact(folder)
    index.refresh()
    with index.writer() as writer:
        writer.add(Document("new", "quite another text"))
    (stored,) = index.snapshot.store.documents()
    assert stored.first not in seen


def test_leaving_the_block_by_an_error_commits_nothing(folder):
    index = filled(folder, 1)

    def fail() -> None:
        with index.writer() as writer:
            apply(writer, 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert problems(observed(index), [1]) == ""
    with index.writer() as writer:
        apply(writer, 2)
    assert problems(observed(index), [2]) == ""


def test_a_snapshot_stays_while_a_writer_commits_and_compacts(folder):
    index = filled(folder, 2)
    old = xsearch.open(folder)
    with index.writer() as writer:
        apply(writer, 3)
    assert problems(observed(old), [2]) == ""
    compact(folder)
    assert problems(observed(old), [2]) == ""
    assert old.refresh()
    assert problems(observed(old), [3]) == ""
    assert not old.refresh()


def test_the_last_of_two_documents_with_one_id_wins(folder):
    index = xsearch.create(folder)
    with index.writer() as writer:
        writer.add(Document("a", "the first wording about rivers"))
        writer.add(Document("a", "the second wording about bridges"))
    assert len(index) == 1
    assert [hit.id for hit in index.search("bridges")] == ["a"]
    assert index.document("a").text == "the second wording about bridges"


def test_two_builds_give_the_same_answers(tmp_path):
    answers = []
    for name in "ab":
        index = filled(tmp_path / name, 3)
        answers.append([(h.id, h.score, h.snippet) for h in index.search("Fluss und Brücke", k=20)])
    assert answers[0] == answers[1]


def test_only_one_writer_and_it_is_named(folder):
    index = filled(folder, 1)
    with index.writer(), pytest.raises(xsearch.IndexLocked, match=r"process \d+"):
        xsearch.open(folder).writer()


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_reading_writes_nothing(folder):
    filled(folder, 2).close()
    before = tree(folder)
    index = xsearch.open(folder)
    index.search("water under the bridge", k=5, filter="version >= 1", explain=True)
    index.search_many([Topic("1", "река")], k=5)
    index.close()
    assert tree(folder) == before


def test_many_threads_search_while_one_writes(folder):
    index = filled(folder, 2)
    errors: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                snapshot_before = index.manifest.commit
                hits = index.search("xcommonx", k=1000, retrievers=["bm25"], lang="en")
                commits = range(snapshot_before, index.manifest.commit + 1)
                assert sorted(h.id for h in hits) in [sorted(expected(c)) for c in commits]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for commit in range(3, 8):
        with index.writer() as writer:
            apply(writer, commit)
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_asyncio(folder):
    index = filled(folder, 2)

    async def ask() -> list[list[xsearch.Hit]]:
        return await asyncio.gather(*(index.asearch(word, k=3) for word in ("river", "Brücke", "музыка")))

    assert asyncio.run(ask()) == [index.search(word, k=3) for word in ("river", "Brücke", "музыка")]


def test_k_documents_come_whenever_k_exist(folder):
    index = xsearch.create(folder, recipe="bm25")
    long = " ".join(f"The river flows past the bridge number {i}." for i in range(900))
    with index.writer() as writer:
        writer.add(Document("long", long, lang="en"))
        for i in range(60):
            writer.add(Document(f"short {i}", f"A river called {i}.", lang="en"))
    # The long document's passages fill the first lists; its 60 neighbours must still be found.
    assert len({hit.id for hit in index.search("river bridge", k=61, depth=5)}) == 61


def test_filters_cost_no_hits(folder):
    index = xsearch.create(folder)
    with index.writer() as writer:
        for i in range(3000):
            writer.add(Document(str(i), f"river report {i % 7}", lang="en", metadata={"year": 1000 + i}))
    hits = index.search("river report", k=10, filter="year >= 1200 and year < 1204")
    assert sorted(h.metadata["year"] for h in hits) == [1200, 1201, 1202, 1203]


def test_to_restricts_languages_and_scripts(folder):
    index = xsearch.create(folder)
    with index.writer() as writer:
        writer.add(Document("s", "学校的图书馆很大，学生在里面看书。", lang="zh"))
        writer.add(Document("t", "學校的圖書館很大，學生在裡面看書。", lang="zh-Hant"))
        writer.add(Document("e", "The school library is large.", lang="en"))
    assert {h.id for h in index.search("图书馆", to=["zh"])} == {"s", "t"}
    assert {h.id for h in index.search("图书馆", to=["zh-Hant"])} == {"t"}
    assert {h.id for h in index.search("library", to=["English"])} == {"e"}
    assert index.search("library", to=["fr"]) == []


def test_hits_say_where_they_are_from(folder):
    index = xsearch.create(folder)
    text = "Der Fluss ist lang. " * 120 + "Am Ufer steht ein Leuchtturm aus Granit. " + "Es regnet oft. " * 60
    with index.writer() as writer:
        writer.add(Document("de", text, title="Ufer", metadata={"year": 2020}))
    (hit,) = index.search("Leuchtturm aus Granit", explain=True)
    assert text[hit.start : hit.end] == hit.text
    assert "Leuchtturm" in [hit.snippet[a:b] for a, b in hit.spans]
    assert (hit.title, hit.metadata, hit.lang) == ("Ufer", {"year": 2020}, "de")
    assert {part.retriever for part in hit.explain} >= {"bm25", "dense"}


@pytest.mark.parametrize(("name", "value"), [("to", "de"), ("retrievers", "bm25")])
def test_a_string_is_not_a_list_of_letters(folder, name, value):
    with pytest.raises(xsearch.UsageError, match=rf"{name} takes a list: \['{value}'\]"):
        filled(folder, 1).search("river", **{name: value})


@pytest.mark.parametrize("bad", [{"k": 0}, {"k": -1}, {"depth": 0}, {"retrievers": ["lucene"]}, {"fusion": "best"}])
def test_wrong_arguments(folder, bad):
    index = filled(folder, 1)
    with pytest.raises(xsearch.UsageError):
        index.search("river", **bad)
    with pytest.raises(xsearch.UnknownLanguage):
        index.search("river", lang="klingonish")


@pytest.mark.parametrize("text", ["", " ", "!?", "\x00", "a" * 1_000_000, "\ud800", "🦊", '"', "-", "+ -", "title:"])
def test_odd_queries_are_answered(folder, text):
    index = filled(folder, 1)
    assert isinstance(index.search(text), list)


def test_opening_what_is_no_index(tmp_path):
    with pytest.raises(xsearch.BadInput, match="no index"):
        xsearch.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(xsearch.BadInput, match="file"):
        xsearch.open(tmp_path / "file")
    with pytest.raises(xsearch.BadInput):
        xsearch.create(tmp_path / "file")
    with pytest.raises(xsearch.BadInput, match="other files"):
        xsearch.create(tmp_path)


def test_another_encoder_is_refused(folder):
    filled(folder, 1).close()
    import json

    path = folder / "manifest.json"
    fields = json.loads(path.read_text())
    from xsearch.storage import DiskFiles, read_manifest, write_manifest

    manifest = read_manifest(folder)
    import msgspec

    other = {**manifest.encoder, "fingerprint": "0" * 32}
    write_manifest(DiskFiles(), folder, msgspec.structs.replace(manifest, encoder=other))
    assert json.loads(path.read_text()) != fields
    with pytest.raises(xsearch.EncoderMismatch, match="compact"):
        xsearch.open(folder).search("river")
    with pytest.raises(xsearch.EncoderMismatch, match="compact"):
        xsearch.open(folder).writer()
    compact(folder)
    assert problems(observed(xsearch.open(folder)), [1]) == ""


def test_processes_that_prepare_give_the_same_index(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "BATCH", 16)
    monkeypatch.setattr(writer_module, "MANY", 48)
    answers = []
    for workers in (1, 2):
        index = xsearch.create(tmp_path / str(workers))
        with index.writer(workers) as writer:
            for number in range(160):
                writer.add(document(number, number % 5))
            writer.delete(["doc 7"])
        stored = [(d.id, d.first, d.spans) for d in index.snapshot.store.documents()]
        answers.append((stored, [(h.id, h.score) for h in index.search("река и мост", k=200)]))
    assert answers[0] == answers[1]
    assert len(answers[0][0]) == 159


def test_a_batch_that_cannot_be_prepared_ends_the_writer_and_commits_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "BATCH", 16)
    monkeypatch.setattr(writer_module, "MANY", 32)
    index = xsearch.create(tmp_path / "idx")

    def fill() -> None:
        with index.writer(2) as writer:
            for number in range(80):
                lang = "no such language" if number == 70 else "en"
                writer.add(Document(str(number), "a river", lang=lang))

    with pytest.raises(xsearch.UnknownLanguage):
        fill()
    assert len(index) == 0
    with index.writer() as writer:
        writer.add(Document("a", "a river"))
    assert [hit.id for hit in index.search("river")] == ["a"]


def test_an_encoder_given_by_path_is_found_again(tmp_path):
    card = data_path("encoders") / "xsearch-static-v2.toml"
    index = xsearch.create(tmp_path / "idx", encoder=card)
    with index.writer() as writer:
        writer.add(Document("a", "Ein Fluss in den Bergen.", lang="de"))
    compact(tmp_path / "idx")
    assert [hit.id for hit in xsearch.open(tmp_path / "idx").search("a river", retrievers=["dense"])] == ["a"]


def test_function_words_match_in_their_own_language_only(tmp_path):
    index = xsearch.create(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(Document("fr", "Il y a une école.", lang="fr"))
        writer.add(Document("es", "La casa y el patio.", lang="es"))
    hits = index.search("vino y queso", lang="es", retrievers=["bm25"])
    assert [hit.id for hit in hits] == ["es"]
    assert [hit.id for hit in index.search("école y casa", lang="es", retrievers=["bm25"], to=["fr"])] == ["fr"]


def test_balance_gives_every_language_its_share(tmp_path):
    index = xsearch.create(tmp_path / "idx")
    with index.writer() as writer:
        for number in range(12):
            writer.add(Document(f"en{number}", f"A river flows by house number {number}.", lang="en"))
        writer.add(Document("de1", "Ein Fluss im Tal.", lang="de"))
        writer.add(Document("ru1", "Река течёт в долине.", lang="ru"))
    assert {hit.lang for hit in index.search("river", k=6, lang="en", balance=True)} == {"en", "de", "ru"}
    assert len(index.search("river", k=6, lang="en", balance=True)) == 6


def test_an_encoder_of_somebody_else_enters_by_its_entry_point(monkeypatch):
    from importlib.metadata import EntryPoint

    from xsearch.encode import load_encoder

    point = EntryPoint("theirs", "xsearch.encode:load_encoder", "xsearch.encoders")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] if group == "xsearch.encoders" else [])
    assert load_encoder("theirs").card.name == "xsearch-static-v2"
    with pytest.raises(xsearch.UsageError, match=r"known are .*xsearch-static-v2"):
        load_encoder("xsearch-static")


def test_arguments_of_another_kind_are_refused(tmp_path):
    index = xsearch.create(tmp_path / "i")
    with (
        pytest.raises(xsearch.UsageError, match=r"takes xsearch\.Document\(id, text\), not str"),
        index.writer() as writer,
    ):
        writer.add("a text")
    for k in ("3", 3.0, None, 0, 10**6):
        with pytest.raises(xsearch.UsageError, match="k must be a whole number between 1 and 100,000, not"):
            index.search("river", k)
    for text in (None, b"river", ["river"]):
        with pytest.raises(xsearch.UsageError, match="a question is a string, not"):
            index.search(text)


def test_what_is_required_and_excluded_binds_every_retriever(tmp_path):
    index = xsearch.create(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(Document("a", "The election in Iran was held on Friday. Many people voted.", lang="en"))
        writer.add(Document("b", "Die Wahlen im Iran fanden am Freitag statt.", lang="de", title="Wahlen"))
        writer.add(Document("c", "Iran is a country. " * 200 + "On Friday it rained.", lang="en"))

    def ids(text: str) -> set[str]:
        return {hit.id for hit in index.search(text)}

    assert ids("iran election") == {"a", "b", "c"}
    assert ids("iran -freitag") == {"a", "c"}
    assert ids("+friday iran") == {"a", "c"}
    assert ids('+"many people" iran') == {"a"}
    assert ids("title:wahlen iran") == {"b"}
    assert ids("+zzzz iran") == set()
    assert ids('iran -"many people" -wahlen') == {"c"}


def test_a_closed_index_says_so(folder):
    index = filled(folder, 1)
    index.close()
    index.close()
    with pytest.raises(xsearch.UsageError, match="closed"):
        index.search("river")


def open_files(folder: Path) -> int:
    links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(str(target).startswith(str(folder)) for target in links)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc, which Linux has")
def test_refreshing_again_and_again_keeps_no_files_open(folder):
    index = filled(folder, 4)
    reader = xsearch.open(folder)
    counts = []
    for number in range(12):
        with index.writer() as writer:
            writer.delete([f"doc {number}"])
        reader.refresh()
        reader.search("river")
        counts.append(open_files(folder))
    assert max(counts) == counts[0]
    compact(folder)
    index.refresh()
    reader.refresh()
    assert open_files(folder / "gen-000001") == 0
    with index.writer():
        pass
    assert [path.name for path in folder.glob("gen-*")] == ["gen-000002"]


def test_burmese_in_zawgyi_is_found_by_unicode_and_the_other_way_round(tmp_path):
    zawgyi, unicode = "\u1031\u1000\u103a\u102c\u1004\u1039\u1038 \u103b\u1019\u1014\u1039\u1019\u102c", "ကျောင်း မြန်မာ"
    index = xsearch.create(tmp_path / "idx", recipe="words-and-vectors")
    with index.writer() as writer:
        writer.add(xsearch.Document(id="z", text=zawgyi, lang="my"))
        writer.add(xsearch.Document(id="other", text="ရေ", lang="my"))
    for question in (zawgyi, unicode):
        (best, *_) = index.search(question, retrievers=["bm25"])
        assert (best.id, best.text) == ("z", unicode)
